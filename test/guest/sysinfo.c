/*
 * What programs ask of the machine: do the folders of processors in /sys say who shares a core and
 * a package, by lists and masks that agree, and has /proc/slabinfo the form that its readers take?
 */
#include "guest.h"

#include <dirent.h>
#include <stdarg.h>

#define CPUS "/sys/devices/system/cpu"

static const char *text_of(const char *format, ...)
{
	static char text[4096];
	char path[200];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(path, sizeof path, format, arguments);
	va_end(arguments);
	if (guest_read_file(path, text, sizeof text) < 0)
		FAIL("%s: %s", path, strerror(errno));
	return text;
}

/* "0-2,5\n" as a mask of the first 64. */
static uint64_t list_of(const char *text)
{
	uint64_t mask = 0;

	for (char *end; *text >= '0' && *text <= '9'; text = *end == ',' ? end + 1 : end) {
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (; first <= last; first++)
			mask |= first < 64 ? 1ULL << first : 0;
	}
	return mask;
}

/* "ff,ffffffff\n": words of 32 bits, of which the last two count. */
static uint64_t mask_of(const char *text)
{
	uint64_t mask = 0;

	for (char *end; *text != '\n' && *text != '\0'; text = *end == ',' ? end + 1 : end)
		mask = mask << 32 | strtoul(text, &end, 16);
	return mask;
}

/* Both forms of a set of a processor's, which agree and have itself. */
static uint64_t set_of(int cpu, const char *name)
{
	uint64_t set = list_of(text_of(CPUS "/cpu%d/topology/%s_list", cpu, name));

	CHECK_EQ(mask_of(text_of(CPUS "/cpu%d/topology/%s", cpu, name)), set);
	CHECK(set >> cpu & 1);
	return set;
}

static long number_of(int cpu, const char *name)
{
	return atol(text_of(CPUS "/cpu%d/topology/%s", cpu, name));
}

TEST("are there as many folders of processors as are configured, and their lists of ranges?")
{
	long count = 0, configured = sysconf(_SC_NPROCESSORS_CONF);
	DIR *dir = opendir(CPUS);

	CHECK(dir != NULL);
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		if (strncmp(entry->d_name, "cpu", 3) != 0 || entry->d_name[3] < '0' ||
		    entry->d_name[3] > '9')
			continue;
		CHECK_EQ(entry->d_type, DT_DIR);
		count++;
	}
	closedir(dir);
	CHECK_EQ(count, configured);
	CHECK_EQ(__builtin_popcountll(list_of(text_of(CPUS "/present"))), configured);
	CHECK(list_of(text_of(CPUS "/online")) & 1);
	CHECK_EQ(list_of(text_of(CPUS "/online")) & list_of(text_of(CPUS "/offline")), 0);
	CHECK_EQ(list_of(text_of(CPUS "/online")) & ~list_of(text_of(CPUS "/possible")), 0);
	CHECK(atol(text_of(CPUS "/kernel_max")) >= configured - 1);
	CHECK(access(CPUS "/cpu00", F_OK) < 0 && access(CPUS "/cpu", F_OK) < 0);
}

TEST("do the processors' sets follow from their packages and cores?")
{
	uint64_t online = list_of(text_of(CPUS "/online"));

	for (int a = 0; a < 64; a++) {
		if ((online >> a & 1) == 0)
			continue;
		uint64_t core = set_of(a, "core_cpus"), package = set_of(a, "package_cpus");

		CHECK_EQ(set_of(a, "thread_siblings"), core);
		CHECK_EQ(set_of(a, "core_siblings"), package);
		CHECK_EQ(set_of(a, "die_cpus") & ~package, 0);
		CHECK_EQ(core & ~package, 0);
		for (int b = 0; b < 64; b++) {
			if ((online >> b & 1) == 0)
				continue;
			bool one = number_of(a, "physical_package_id") ==
				   number_of(b, "physical_package_id");

			CHECK_EQ(package >> b & 1, one);
			if (core >> b & 1)
				CHECK_EQ(number_of(a, "core_id"), number_of(b, "core_id"));
		}
	}
}

TEST("does slabinfo have version 2.1, and its sixteen words of each cache?")
{
	FILE *file = fopen("/proc/slabinfo", "r");
	unsigned long active, all, bytes, each, pages, limits[3], active_slabs, slabs, shared;
	char line[400], name[100];
	int caches = 0;

	if (file == NULL)
		SKIP("no slabinfo here");
	CHECK(fgets(line, sizeof line, file) != NULL);
	CHECK_STR(line, "slabinfo - version: 2.1\n");
	CHECK(fgets(line, sizeof line, file) != NULL);
	CHECK_EQ(line[0], '#');
	for (; fgets(line, sizeof line, file) != NULL; caches++) {
		CHECK_EQ(sscanf(line, "%99s %lu %lu %lu %lu %lu : tunables %lu %lu %lu : "
				"slabdata %lu %lu %lu", name, &active, &all, &bytes, &each, &pages,
				&limits[0], &limits[1], &limits[2], &active_slabs, &slabs,
				&shared), 12);
		CHECK_RANGE(active, 0, all);
		CHECK_RANGE(active_slabs, 0, slabs);
		CHECK(bytes > 0 && each > 0 && pages > 0);
		CHECK(each * bytes <= pages * PAGE);
	}
	CHECK(caches > 10);
	fclose(file);
}

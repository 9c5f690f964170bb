/*
 * Comparing what /proc/tine/leaks says before and after a test: free pages and live objects.
 */
#include "guest.h"

static int leaks_fd = -1;

void guest_leaks_keep_open(void)
{
	leaks_fd = open("/proc/tine/leaks", O_RDONLY | O_CLOEXEC);
}

static bool read_text(char *text, size_t bytes)
{
	ssize_t got;

	if (leaks_fd < 0)
		return guest_read_file("/proc/tine/leaks", text, bytes) > 0;
	got = pread(leaks_fd, text, bytes - 1, 0);
	text[got > 0 ? got : 0] = 0;
	return got > 0;
}

void guest_leaks_read(struct guest_leaks *leaks)
{
	char text[8192], *line, *rest = text, name[32];
	long value;

	leaks->count = 0;
	leaks->there = read_text(text, sizeof text);
	while (leaks->there && (line = strsep(&rest, "\n")) &&
	       leaks->count < GUEST_LEAK_ENTRIES) {
		if (sscanf(line, "free_pages %ld", &value) == 1) {
			strcpy(leaks->entry[leaks->count].name, "free_pages");
			leaks->entry[leaks->count++].value = value;
		} else if (sscanf(line, "objects %31s %ld", name, &value) == 2) {
			snprintf(leaks->entry[leaks->count].name, 48, "%s", name);
			leaks->entry[leaks->count++].value = value;
		} else if (sscanf(line, "pages %31s %ld", name, &value) == 2) {
			snprintf(leaks->entry[leaks->count].name, 48, "pages of kind %s", name);
			leaks->entry[leaks->count++].value = value;
		}
	}
}

/* The change of one counter that would be a leak: fewer free pages, more objects. */
static long leak_of(const struct guest_leaks *before, const struct guest_leaks *after, int i)
{
	bool pages = strcmp(before->entry[i].name, "free_pages") == 0;
	long change = after->entry[i].value - before->entry[i].value;

	return pages ? -change : change;
}

static bool leaks_differ(const struct guest_leaks *before, const struct guest_leaks *after)
{
	for (int i = 0; i < before->count && i < after->count; i++) {
		/* The kinds are there to tell what the pages became: their sum counts. */
		if (leak_of(before, after, i) > 0 &&
		    strncmp(before->entry[i].name, "pages of", 8) != 0)
			return true;
	}
	return false;
}

/* Freeing may be deferred a little, so the counters get some time to come back. */
bool guest_leaked(const struct guest_leaks *before, struct guest_leaks *after)
{
	for (int tries = 0; before->there && tries < 50; tries++) {
		guest_leaks_read(after);
		if (!leaks_differ(before, after))
			return false;
		guest_sleep_ms(10);
	}
	return before->there;
}

void guest_leaks_note(const struct guest_leaks *before, const struct guest_leaks *after)
{
	for (int i = 0; i < before->count && i < after->count; i++) {
		if (leak_of(before, after, i) > 0)
			guest_note("leak: %s was %ld, is %ld", before->entry[i].name,
				   before->entry[i].value, after->entry[i].value);
	}
}

/*
 * Do /proc/self/mounts and mountinfo say of each mount what was mounted, by what name, and with
 * which flags and options?
 */
#include "guest.h"

#include <sys/mount.h>
#include <sys/statfs.h>

struct line {
	char source[200], point[PATH_MAX], type[100], flags[2000];
	char root[PATH_MAX], super[2000];	/* of mountinfo */
	int id, parent;
};

static char text[1 << 16];

/* Spaces and such are written in octal. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s != '\0'; s++) {
		if (*s == '\\') {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* The line with this mountpoint, the last where there are several. The source stays as it is. */
static bool find(const char *file, const char *point, struct line *out)
{
	bool info = strstr(file, "mountinfo") != NULL, found = false;
	struct line l;

	CHECK(guest_read_file(file, text, sizeof text) > 0);
	for (char *at = text, *end; *at != '\0'; at = end + 1) {
		end = strchr(at, '\n');
		CHECK(end != NULL);
		*end = '\0';
		if (info) {
			char *dash = strstr(at, " - ");

			CHECK(dash != NULL);
			CHECK_EQ(sscanf(at, "%d %d %*u:%*u %4000s %4000s %1999s", &l.id, &l.parent,
					l.root, l.point, l.flags), 5);
			CHECK_EQ(sscanf(dash, " - %99s %199s %1999s", l.type, l.source,
					l.super), 3);
		} else {
			CHECK_EQ(sscanf(at, "%199s %4000s %99s %1999s 0 0", l.source, l.point,
					l.type, l.flags), 4);
			CHECK_STR(end - 4, " 0 0");
		}
		unescape(l.point);
		if (strcmp(l.point, point) == 0) {
			*out = l;
			found = true;
		}
	}
	return found;
}

static void get(const char *file, const char *point, struct line *out)
{
	if (!find(file, point, out))
		FAIL("%s has no %s", file, point);
}

/* Whether the comma-separated list has this word. */
static bool has(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (; list != NULL; list = strchr(list, ',')) {
		list += *list == ',';
		if (strncmp(list, word, n) == 0 && (list[n] == ',' || list[n] == '\0'))
			return true;
	}
	return false;
}

static const struct { long flag; const char *name; } flag_names[] = {
	{ 1, "ro" }, { 2, "nosuid" }, { 4, "nodev" }, { 8, "noexec" }, { 0x400, "noatime" },
	{ 0x800, "nodiratime" }, { 0x1000, "relatime" },
};

static void check_flags(const char *point)
{
	struct statfs fs;
	struct line l;

	CHECK_OK(statfs(point, &fs));
	get("/proc/self/mounts", point, &l);
	for (size_t i = 0; i < sizeof flag_names / sizeof *flag_names; i++) {
		bool set = (fs.f_flags & flag_names[i].flag) != 0;

		if (has(l.flags, flag_names[i].name) != set)
			FAIL("%s: statfs %#lx, mounts %s", point, (long)fs.f_flags, l.flags);
	}
	CHECK(has(l.flags, "rw") != has(l.flags, "ro"));
}

TEST("do the flags agree with statfs's, for what is always mounted?")
{
	static const char *const points[] = {
		"/", "/dev", "/dev/pts", "/dev/shm", "/proc", "/sys"
	};
	struct line mounts, info;

	for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
		if (!find("/proc/self/mounts", points[i], &mounts))
			continue;
		check_flags(points[i]);
		get("/proc/self/mountinfo", points[i], &info);
		CHECK_STR(info.source, mounts.source);
		CHECK_STR(info.type, mounts.type);
	}
	get("/proc/self/mounts", "/proc", &mounts);
	CHECK_STR(mounts.type, "proc");
	if (find("/proc/self/mounts", "/dev", &mounts) && strcmp(mounts.type, "devtmpfs") == 0)
		CHECK(strcmp(mounts.source, "none") != 0);
}

/* A folder to mount on, with its name as /proc gives it. */
static const char *folder(const char *name)
{
	static char path[2][PATH_MAX];
	static int next;
	char *to = path[next++ % 2];

	CHECK_OK(mkdir(name, 0755));
	CHECK(realpath(name, to) != NULL);
	return to;
}

TEST("do a tmpfs's source, flags and options stand there as they were given?")
{
	const char *point, *options = ",size=1024k,nr_inodes=100,mode=700,uid=3,gid=4", *at;
	struct line mounts, info;

	guest_scratch();
	point = folder("m n");
	CHECK_OK(mount("a b", point, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NODIRATIME,
		       "size=1m,nr_inodes=100,mode=700,uid=3,gid=4"));
	get("/proc/self/mounts", point, &mounts);
	get("/proc/self/mountinfo", point, &info);
	CHECK_STR(mounts.source, "a\\040b");
	CHECK_STR(info.source, "a\\040b");
	CHECK_STR(info.type, "tmpfs");
	CHECK_STR(info.root, "/");
	at = "rw,nosuid,nodev,noexec,nodiratime,relatime";
	CHECK_STR(info.flags, at);
	CHECK_EQ(strncmp(mounts.flags, at, strlen(at)), 0);
	CHECK_EQ(strncmp(mounts.flags + strlen(at), options, strlen(options)), 0);
	CHECK_EQ(strncmp(info.super, "rw", 2), 0);
	CHECK_EQ(strncmp(info.super + 2, options, strlen(options)), 0);
	check_flags(point);
	CHECK_OK(umount(point));
	CHECK(!find("/proc/self/mounts", point, &mounts));
}

TEST("is a limit that is the default not told, and noatime instead of relatime?")
{
	const char *point;
	struct line l;

	guest_scratch();
	point = folder("m");
	CHECK_OK(mount("tmpfs", point, "tmpfs", MS_NOATIME, NULL));
	get("/proc/self/mounts", point, &l);
	CHECK(strstr(l.flags, "size=") == NULL && strstr(l.flags, "mode=") == NULL);
	CHECK(has(l.flags, "noatime") && !has(l.flags, "relatime"));
	check_flags(point);
	CHECK_OK(umount(point));
}

TEST("is a mount that is read-only told from a file system that is?")
{
	const char *point;
	struct line mounts, info;

	guest_scratch();
	point = folder("m");
	CHECK_OK(mount("tmpfs", point, "tmpfs", 0, NULL));
	CHECK_OK(mount(NULL, point, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	get("/proc/self/mounts", point, &mounts);
	get("/proc/self/mountinfo", point, &info);
	CHECK(has(mounts.flags, "ro") && has(info.flags, "ro") && has(info.super, "rw"));
	check_flags(point);
	CHECK_OK(mount(NULL, point, NULL, MS_REMOUNT, NULL));
	check_flags(point);
	CHECK_OK(mount(NULL, point, NULL, MS_REMOUNT | MS_RDONLY, NULL));
	get("/proc/self/mounts", point, &mounts);
	get("/proc/self/mountinfo", point, &info);
	CHECK(has(mounts.flags, "ro") && has(info.flags, "ro") && has(info.super, "ro"));
	check_flags(point);
	CHECK_OK(umount(point));
}

TEST("does a bind mount have its source's source, and the folder that it shows as root?")
{
	const char *point, *other;
	struct line info, original;

	guest_scratch();
	point = folder("m");
	CHECK_OK(mount("origin", point, "tmpfs", MS_NODEV, NULL));
	CHECK_OK(mkdir("m/in", 0755));
	CHECK_OK(mkdir("m/in/side", 0755));
	other = folder("b");
	CHECK_OK(mount("m/in/side", other, NULL, MS_BIND, NULL));
	get("/proc/self/mountinfo", other, &info);
	get("/proc/self/mountinfo", point, &original);
	CHECK_STR(info.root, "/in/side");
	CHECK_STR(original.root, "/");
	CHECK_STR(info.source, "origin");
	CHECK_STR(info.type, "tmpfs");
	CHECK_STR(info.flags, "rw,nodev,relatime");
	CHECK(info.id != original.id);
	CHECK_EQ(info.parent, original.parent);
	CHECK_OK(umount(other));
	CHECK_OK(umount(point));
}

TEST("does each mount of the one devtmpfs have the source that it was given?")
{
	const char *point;
	struct line l;

	guest_scratch();
	point = folder("m");
	if (mount("udev", point, "devtmpfs", MS_NOEXEC, NULL) != 0)
		SKIP("no devtmpfs may be mounted here");
	get("/proc/self/mounts", point, &l);
	CHECK_STR(l.source, "udev");
	CHECK_STR(l.type, "devtmpfs");
	check_flags(point);
	CHECK_OK(umount(point));
	CHECK_OK(mount(NULL, point, "devtmpfs", 0, NULL));
	get("/proc/self/mounts", point, &l);
	CHECK_STR(l.source, "none");
	CHECK_OK(umount(point));
}

TEST("does mountstats name device, place and type?")
{
	CHECK(guest_read_file("/proc/self/mountstats", text, sizeof text) > 0);
	CHECK(strstr(text, " mounted on /proc with fstype proc\n") != NULL);
	CHECK_EQ(strncmp(text, "device ", 7), 0);
}

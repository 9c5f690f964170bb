/*
 * execve: the program, its arguments, environment and auxiliary vector, scripts, errors, and what a
 * process keeps and loses. Programs to execute are this one again (see guest_exec_args) or small
 * ELF files written by the tests.
 */
#include "guest.h"

#include <elf.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/resource.h>

extern char **environ;
static char *no_env[] = { NULL };

/* The status of a child that executes the helper. */
static int run_helper(char **args, char **env)
{
	pid_t pid;

	CHILD(pid) {
		execve(args[0], args, env);
		_exit(126);
	}
	return guest_wait(pid);
}

#define CHECK_RUN(args, env, status) do {							\
	int status_ = run_helper(args, env);							\
	if (!WIFEXITED(status_) || WEXITSTATUS(status_) != (status))				\
		FAIL("the program ended with 0x%x, expected exit %d", status_, status);		\
} while (0)

HELPER(arguments)
{
	if (argc != 4 || strcmp(argv[1], "one") || strcmp(argv[2], "") ||
	    strcmp(argv[3], "three 3"))
		return 1;
	if (!environ[0] || strcmp(environ[0], "A=1") || !environ[1] || strcmp(environ[1], "B=") ||
	    environ[2])
		return 2;
	return 33;
}

TEST("do arguments and environment arrive, empty strings and blanks included?")
{
	char *env[] = { "A=1", "B=", NULL };

	CHECK_RUN(guest_exec_args("arguments", "one", "", "three 3", NULL), env, 33);
}

HELPER(auxiliary)
{
	const unsigned char *random = (void *)getauxval(AT_RANDOM);
	unsigned char sum = 0;

	for (int i = 0; i < 16; i++)
		sum |= random[i];
	if (!sum || getauxval(AT_PAGESZ) != PAGE || !getauxval(AT_PHDR) || !getauxval(AT_ENTRY))
		return 1;
	if (getauxval(AT_PHENT) != sizeof(Elf64_Phdr) || getauxval(AT_PHNUM) < 2)
		return 2;
	if (getauxval(AT_UID) != getuid() || getauxval(AT_EUID) != geteuid() ||
	    getauxval(AT_GID) != getgid() || getauxval(AT_EGID) != getegid())
		return 3;
	if (getauxval(AT_SECURE) || getauxval(AT_CLKTCK) != 100 || getauxval(AT_BASE))
		return 4;
	if (strcmp((char *)getauxval(AT_EXECFN), argv[1]) != 0)
		return 5;
	if (strcmp((char *)getauxval(AT_PLATFORM), "x86_64") != 0 || !getauxval(AT_HWCAP))
		return 6;
	return memcmp((void *)getauxval(AT_SYSINFO_EHDR), ELFMAG, SELFMAG) == 0 ? 34 : 7;
}

TEST("is the auxiliary vector right: page size, program headers, ids, random bytes, name, vDSO?")
{
	CHECK_RUN(guest_exec_args("auxiliary", guest_self(), NULL), no_env, 34);
}

TEST("is the entry stack aligned to 16 bytes whatever the strings' lengths?")
{
	char text[32] = "";

	for (int i = 0; i < 20; i++) {
		char **args = guest_exec_args("stack_pointer", text, NULL);

		CHECK_RUN(args, no_env, 35);
		strcat(text, "x");
	}
}

HELPER(stack_pointer)
{
	/* argc lies where the stack pointer was, one word below argv; argv was moved on by 2 for
	 * the helper. */
	return ((uintptr_t)&argv[-3] & 15) == 0 ? 35 : 1;
}

TEST("is a program without any arguments given one empty argument?")
{
	char *none[] = { NULL }, name[] = "tiny";
	pid_t pid;

	/* exit(argc) in 64-bit code: mov (%rsp),%edi; mov $60,%eax; syscall */
	static const unsigned char code[] = { 0x8b, 0x3c, 0x24, 0xb8, 60, 0, 0, 0, 0x0f, 0x05 };
	struct { Elf64_Ehdr e; Elf64_Phdr p; unsigned char code[16]; } file = {
		.e = { .e_ident = ELFMAG "\2\1\1", .e_type = ET_EXEC, .e_machine = EM_X86_64,
		       .e_version = 1, .e_entry = 0x400000 + 64 + 56, .e_phoff = 64,
		       .e_ehsize = 64, .e_phentsize = 56, .e_phnum = 1 },
		.p = { .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x400000,
		       .p_filesz = sizeof file, .p_memsz = sizeof file, .p_align = PAGE },
	};
	int fd;

	memcpy(file.code, code, sizeof code);
	guest_scratch();
	fd = CHECK_OK(open(name, O_WRONLY | O_CREAT, 0700));
	CHECK_EQ(write(fd, &file, sizeof file), sizeof file);
	CHECK_OK(close(fd));
	CHILD(pid)
		execve(name, none, no_env);
	CHECK_EXIT(pid, 1);
	CHILD(pid)
		execve(name, NULL, NULL);
	CHECK_EXIT(pid, 1);
}

TEST("do ELF segments in descending order run, a later one replacing what it covers?")
{
	char *none[] = { NULL }, name[] = "order";
	pid_t pid;

	/* mov $7 or $8,%edi; mov $60,%eax; syscall */
	static const unsigned char code[] = { 0xbf, 7, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05 };
	struct { Elf64_Ehdr e; Elf64_Phdr p[3]; unsigned char code[16]; } file = {
		.e = { .e_ident = ELFMAG "\2\1\1", .e_type = ET_EXEC, .e_machine = EM_X86_64,
		       .e_version = 1, .e_entry = 0x400000 + offsetof(typeof(file), code),
		       .e_phoff = 64, .e_ehsize = 64, .e_phentsize = 56, .e_phnum = 3 },
	};
	unsigned char changed[PAGE] = { 0 };
	int fd;

	for (int i = 0; i < 3; i++)
		file.p[i] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_X,
					  .p_vaddr = i == 0 ? 0x402000 : 0x400000,
					  .p_offset = i == 2 ? PAGE : 0, .p_filesz = sizeof file,
					  .p_memsz = sizeof file, .p_align = PAGE };
	memcpy(file.code, code, sizeof code);
	memcpy(changed, &file, sizeof file);
	changed[offsetof(typeof(file), code) + 1] = 8;
	guest_scratch();
	fd = CHECK_OK(open(name, O_WRONLY | O_CREAT, 0700));
	CHECK_EQ(write(fd, &file, sizeof file), sizeof file);
	CHECK_EQ(pwrite(fd, changed, sizeof changed, PAGE), sizeof changed);
	CHECK_OK(close(fd));
	CHILD(pid)
		execve(name, none, no_env);
	CHECK_EXIT(pid, 8);
}

TEST("do arguments of 100 KiB each and 1 MiB in all arrive?")
{
	char *big = malloc(100 << 10), **args;
	char *ten[] = { big, big, big, big, big, big, big, big, big, big };

	memset(big, 'a', (100 << 10) - 1);
	big[(100 << 10) - 1] = 0;
	args = guest_exec_args("lengths", ten[0], ten[1], ten[2], ten[3], ten[4], ten[5], ten[6],
			       ten[7], ten[8], ten[9], NULL);
	CHECK_RUN(args, no_env, 36);
}

HELPER(lengths)
{
	if (argc != 11)
		return 1;
	for (int i = 1; i < argc; i++) {
		if (strlen(argv[i]) != (100 << 10) - 1 || strspn(argv[i], "a") != (100 << 10) - 1)
			return 2;
	}
	return 36;
}

TEST("is one argument over 128 KiB, or more than a quarter of the stack limit, E2BIG?")
{
	char *big = malloc(129 << 10), *args[200] = { (char *)guest_self(), big, NULL };

	memset(big, 'a', 129 << 10);
	big[128 << 10] = 0;
	CHECK_ERRNO(execve(args[0], args, no_env), E2BIG);
	big[(128 << 10) - 1] = 0;
	for (int i = 1; i < 190; i++)
		args[i] = big;
	CHECK_ERRNO(execve(args[0], args, no_env), E2BIG);
}

TEST("are missing, unreachable, unexecutable and malformed programs refused with their errno?")
{
	char *args[] = { "x", NULL };

	guest_scratch();
	CHECK_ERRNO(execve("missing", args, no_env), ENOENT);
	CHECK_ERRNO(execve("", args, no_env), ENOENT);
	CHECK_OK(guest_file("plain", "text without a magic number\n", 0700));
	CHECK_ERRNO(execve("plain", args, no_env), ENOEXEC);
	CHECK_ERRNO(execve("plain/x", args, no_env), ENOTDIR);
	CHECK_OK(guest_file("empty", "", 0700));
	CHECK_ERRNO(execve("empty", args, no_env), ENOEXEC);
	CHECK_OK(guest_file("nox", "#!/bin/sh\n", 0600));
	CHECK_ERRNO(execve("nox", args, no_env), EACCES);
	CHECK_OK(mkdir("dir", 0700));
	CHECK_ERRNO(execve("dir", args, no_env), EACCES);
	CHECK_OK(guest_file("elf", "\177ELF", 0700));
	CHECK_ERRNO(execve("elf", args, no_env), ENOEXEC);
	CHECK_OK(symlink("loop", "loop"));
	CHECK_ERRNO(execve("loop", args, no_env), ELOOP);
}

TEST("are bad pointers in execve's arguments EFAULT, and the caller unharmed?")
{
	char *bad_string[] = { "x", (char *)8, NULL };

	CHECK_ERRNO(execve((char *)8, no_env, no_env), EFAULT);
	CHECK_ERRNO(execve(guest_self(), (char **)8, no_env), EFAULT);
	CHECK_ERRNO(execve(guest_self(), bad_string, no_env), EFAULT);
	CHECK_ERRNO(execve(guest_self(), no_env, (char **)-4096L), EFAULT);
}

/* Writes a copy of this program with some bytes changed; the errno of executing it. One that runs
 * after all ends at once, having no such helper. */
static int errno_of_patched(size_t offset, const void *bytes, size_t count, size_t keep)
{
	static char copy[4 << 20];
	char *args[] = { "x", "--helper", "none", NULL };
	int in = CHECK_OK(open(guest_self(), O_RDONLY)), out;
	ssize_t size = CHECK_OK(read(in, copy, sizeof copy));

	close(in);
	memcpy(copy + offset, bytes, count);
	out = CHECK_OK(open("patched", O_WRONLY | O_CREAT | O_TRUNC, 0700));
	CHECK_EQ(write(out, copy, keep ? keep : (size_t)size), keep ? keep : (size_t)size);
	CHECK_OK(close(out));
	errno = 0;
	if (execve("patched", args, no_env) < 0)
		return errno;
	return 0;
}

TEST("are ELF files of another machine, class or type, or with absurd or cut headers, ENOEXEC?")
{
	guest_scratch();
	CHECK_EQ(errno_of_patched(offsetof(Elf64_Ehdr, e_machine), "\x28\0", 2, 0), ENOEXEC);
	CHECK_EQ(errno_of_patched(offsetof(Elf64_Ehdr, e_type), "\1\0", 2, 0), ENOEXEC);
	CHECK_EQ(errno_of_patched(offsetof(Elf64_Ehdr, e_phentsize), "\x10\0", 2, 0), ENOEXEC);
	CHECK_EQ(errno_of_patched(offsetof(Elf64_Ehdr, e_phnum), "\0\0", 2, 0), ENOEXEC);
	CHECK_EQ(errno_of_patched(offsetof(Elf64_Ehdr, e_phnum), "\xff\xff", 2, 0), ENOEXEC);
	CHECK_EQ(errno_of_patched(0, "\177ELG", 4, 0), ENOEXEC);
	CHECK_EQ(errno_of_patched(0, "", 0, 40), ENOEXEC);
	CHECK_EQ(errno_of_patched(0, "", 0, sizeof(Elf64_Ehdr)), ENOEXEC);
	CHECK_EQ(errno_of_patched(0, "", 0, sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr) / 2), ENOEXEC);
}

/* Whether a program with this field of its headers changed is refused, or at worst killed: never
 * more. */
static void check_survives(size_t offset, const void *bytes, size_t count, size_t keep)
{
	pid_t pid;
	int status;

	CHILD(pid) {
		alarm(5);
		close(1);
		close(2);
		errno_of_patched(offset, bytes, count, keep);
	}
	status = guest_wait(pid);
	/* 1 is a check's that failed. */
	CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) != 1);
}

TEST("does the kernel survive hostile ELF headers: entry, offsets, addresses, sizes?")
{
	static const uint64_t values[] = { 0,
					   1,
					   0xfff,
					   -1ULL,
					   -4096ULL,
					   1ULL << 47,
					   (1ULL << 47) - 4096,
					   0xffff800000000000,
					   0x7fffffffffffffff,
					   1ULL << 40 };

	guest_scratch();
	for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
		check_survives(offsetof(Elf64_Ehdr, e_entry), &values[i], 8, 0);
		check_survives(offsetof(Elf64_Ehdr, e_phoff), &values[i], 8, 0);
		for (int segment = 0; segment < 4; segment++) {
			size_t base = 64 + segment * sizeof(Elf64_Phdr);

			check_survives(base + offsetof(Elf64_Phdr, p_offset), &values[i], 8, 0);
			check_survives(base + offsetof(Elf64_Phdr, p_vaddr), &values[i], 8, 0);
			check_survives(base + offsetof(Elf64_Phdr, p_filesz), &values[i], 8, 0);
			check_survives(base + offsetof(Elf64_Phdr, p_memsz), &values[i], 8, 0);
		}
	}
	check_survives(0, "", 0, 4096);
	check_survives(0, "", 0, 100);
}

static void write_script(const char *name, const char *first_line)
{
	char text[600];

	snprintf(text, sizeof text, "%s\n", first_line);
	CHECK_OK(guest_file(name, text, 0700));
}

TEST("does a #! script run its interpreter with one argument, the script's name and the rest?")
{
	char line[PATH_MAX + 32], *args[] = { "zero", "one", NULL };

	guest_scratch();
	/* An interpreter that is itself a script, down to a copy of echo's behaviour: the -l option
	 * lists tests. */
	snprintf(line, sizeof line, "#!%s -l", guest_self());
	write_script("script", line);
	{
		char text[4096] = "";
		int ends[2];
		pid_t pid;

		CHECK_OK(pipe(ends));
		CHILD(pid) {
			CHECK_OK(dup2(ends[1], 1));
			execve("script", args, no_env);
			_exit(1);
		}
		close(ends[1]);
		CHECK(read(ends[0], text, sizeof text - 1) > 0);
		CHECK(strstr(text, "1 do arguments and environment arrive") == text);
		close(ends[0]);
		guest_wait(pid);
	}
}

HELPER(show)
{
	for (int i = 0; i < argc; i++)
		dprintf(1, "[%s]", argv[i]);
	return 0;
}

static void output_of(const char *path, char **args, char *text, size_t bytes)
{
	int ends[2];
	pid_t pid;
	ssize_t got;
	size_t have = 0;

	CHECK_OK(pipe(ends));
	CHILD(pid) {
		CHECK_OK(dup2(ends[1], 1));
		execve(path, args, no_env);
		dprintf(1, "errno %d", errno);
		_exit(1);
	}
	close(ends[1]);
	while ((got = read(ends[0], text + have, bytes - 1 - have)) > 0)
		have += got;
	text[have] = 0;
	close(ends[0]);
	guest_wait(pid);
}

TEST("do scripts nest: an interpreter that is a script gets both names, argument by argument?")
{
	char line[PATH_MAX + 32], text[1000], want[300], here[PATH_MAX];
	char *args[] = { "zero", "one", "two", NULL };

	guest_scratch();
	CHECK(getcwd(here, sizeof here));
	CHECK_OK(symlink(guest_self(), "prog"));
	snprintf(line, sizeof line, "#! %s/prog --helper", here);
	write_script("show",
		     line); /* PROG --helper show ARGS: the script's name picks the helper */
	output_of("show", args, text, sizeof text);
	CHECK_STR(text, "[show][one][two]");
	snprintf(line, sizeof line, "#!show \t two words \t");
	write_script("outer", line);
	output_of("outer", args, text, sizeof text);
	snprintf(want, sizeof want, "[show][two words][outer][one][two]");
	CHECK_STR(text, want);
}

TEST("are scripts nested too deep ELOOP, without an interpreter ENOENT or ENOEXEC?")
{
	char name[16], line[32], *args[] = { "x", NULL };

	guest_scratch();
	write_script("s0", "#!/nonexistent/program");
	CHECK_ERRNO(execve("s0", args, no_env), ENOENT);
	write_script("blank", "#!   ");
	CHECK_ERRNO(execve("blank", args, no_env), ENOEXEC);
	write_script("self", "#!self");
	CHECK_ERRNO(execve("self", args, no_env), ELOOP);
	for (int i = 1; i < 8; i++) {
		snprintf(name, sizeof name, "s%d", i);
		snprintf(line, sizeof line, "#!s%d", i - 1);
		write_script(name, line);
	}
	CHECK_ERRNO(execve("s7", args, no_env), ELOOP);
	CHECK_ERRNO(execve("s2", args, no_env), ENOENT);
}

TEST("is an interpreter that is a folder or not executable EACCES?")
{
	char *args[] = { "x", NULL };

	guest_scratch();
	CHECK_OK(guest_file("nox", "text", 0600));
	write_script("a", "#!nox");
	CHECK_ERRNO(execve("a", args, no_env), EACCES);
	write_script("b", "#!/");
	CHECK_ERRNO(execve("b", args, no_env), EACCES);
}

TEST("is a file open for writing ETXTBSY to execute, and a running program ETXTBSY to write?")
{
	char *args[] = { "x", NULL };
	int fd;

	guest_scratch();
	CHECK_OK(guest_file("w", "#!/bin/sh\n", 0700));
	fd = CHECK_OK(open("w", O_WRONLY));
	CHECK_ERRNO(execve("w", args, no_env), ETXTBSY);
	close(fd);
	CHECK_ERRNO(open(guest_self(), O_WRONLY), ETXTBSY);
}

/*
 * Mappings of files: private and shared, offsets, rights, unity with read() and write(), between
 * processes, after unlink and close, memfd with seals, and /dev/zero.
 */
#include "guest.h"

#include <sys/uio.h>

#define RW (PROT_READ | PROT_WRITE)

/* A file of `pages` pages, page i filled with 'a' + i. */
static int make_file(const char *name, int pages)
{
	char page[PAGE];
	int fd = CHECK_OK(open(name, O_RDWR | O_CREAT | O_TRUNC, 0644));

	for (int i = 0; i < pages; i++) {
		memset(page, 'a' + i, PAGE);
		CHECK_EQ(write(fd, page, PAGE), PAGE);
	}
	return fd;
}

static char *map_file(int fd, size_t bytes, int prot, int flags, off_t offset)
{
	char *memory = mmap(NULL, bytes, prot, flags, fd, offset);

	CHECK(memory != MAP_FAILED);
	return memory;
}

TEST("does a mapping show the file's bytes at its offset?")
{
	char *memory;
	int fd;

	guest_scratch();
	fd = make_file("f", 10);
	memory = map_file(fd, 3 * PAGE, PROT_READ, MAP_PRIVATE, 4 * PAGE);
	CHECK_EQ(memory[0], 'e');
	CHECK_EQ(memory[PAGE], 'f');
	CHECK_EQ(memory[3 * PAGE - 1], 'g');
	CHECK_ERRNO(syscall(SYS_mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 100), EINVAL);
	CHECK_ERRNO(syscall(SYS_mmap, NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, -4096L),
		    EOVERFLOW);
}

TEST("are write() and a shared mapping one, in both directions, at once?")
{
	char *memory, got[8] = "";
	int fd;

	guest_scratch();
	fd = make_file("f", 2);
	memory = map_file(fd, 2 * PAGE, RW, MAP_SHARED, 0);
	CHECK_EQ(pwrite(fd, "WRITE", 5, PAGE - 2), 5);
	CHECK_EQ(memcmp(memory + PAGE - 2, "WRITE", 5), 0);
	memcpy(memory + 10, "STORE", 5);
	CHECK_EQ(pread(fd, got, 5, 10), 5);
	CHECK_STR(got, "STORE");
}

TEST("does a private mapping see the file until written, and keep its own after?")
{
	char *memory, got;
	int fd;

	guest_scratch();
	fd = make_file("f", 2);
	memory = map_file(fd, 2 * PAGE, RW, MAP_PRIVATE, 0);
	CHECK_EQ(memory[0], 'a');
	memory[0] = 'Z';
	CHECK_EQ(pread(fd, &got, 1, 0), 1);
	CHECK_EQ(got, 'a');
	CHECK_EQ(pwrite(fd, "q", 1, 1), 1);
	CHECK_EQ(memory[0], 'Z');
	CHECK_EQ(memory[1], 'a');
}

TEST("do rights follow the descriptor: EACCES for shared writing without O_RDWR, or any without "
	"reading?")
{
	int read_only, write_only, path, dir;

	guest_scratch();
	close(make_file("f", 1));
	read_only = CHECK_OK(open("f", O_RDONLY));
	write_only = CHECK_OK(open("f", O_WRONLY));
	path = CHECK_OK(open("f", O_PATH));
	dir = CHECK_OK(open(".", O_RDONLY));
	CHECK_ERRNO((long)mmap(NULL, PAGE, RW, MAP_SHARED, read_only, 0), EACCES);
	CHECK_OK((long)mmap(NULL, PAGE, RW, MAP_PRIVATE, read_only, 0));
	CHECK_ERRNO((long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, write_only, 0), EACCES);
	CHECK_ERRNO((long)mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, write_only, 0), EACCES);
	CHECK_ERRNO((long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, path, 0), EBADF);
	CHECK_ERRNO((long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0), ENODEV);
	CHECK_ERRNO(mprotect(map_file(read_only, PAGE, PROT_READ, MAP_SHARED, 0), PAGE, RW),
		    EACCES);
}

TEST("does a mapping live on when its file is closed and unlinked?")
{
	char *memory;
	int fd;

	guest_scratch();
	fd = make_file("f", 2);
	memory = map_file(fd, 2 * PAGE, RW, MAP_SHARED, 0);
	CHECK_OK(close(fd));
	CHECK_OK(unlink("f"));
	CHECK_EQ(memory[PAGE], 'b');
	memory[0] = 'x';
	CHECK_EQ(memory[0], 'x');
	CHECK_OK(munmap(memory, 2 * PAGE));
}

TEST("do two processes that map one file see each other's stores?")
{
	struct guest_gate there = guest_gate(), back = guest_gate();
	volatile char *memory;
	pid_t pid;

	guest_scratch();
	close(make_file("f", 2));
	CHILD(pid) {
		int fd = CHECK_OK(open("f", O_RDWR));
		volatile char *mine = map_file(fd, 2 * PAGE, RW, MAP_SHARED, 0);

		mine[PAGE + 7] = '1';
		guest_gate_open(&there);
		guest_gate_pass(&back);
		CHECK_EQ(mine[PAGE + 8], '2');
	}
	memory = map_file(CHECK_OK(open("f", O_RDWR)), 2 * PAGE, RW, MAP_SHARED, 0);
	guest_gate_pass(&there);
	CHECK_EQ(memory[PAGE + 7], '1');
	memory[PAGE + 8] = '2';
	guest_gate_open(&back);
	CHECK_EXIT(pid, 0);
}

TEST("do stores reach the file after munmap, exit and msync?")
{
	char *memory, got[4] = "";
	int fd;
	pid_t pid;

	guest_scratch();
	fd = make_file("f", 3);
	memory = map_file(fd, 3 * PAGE, RW, MAP_SHARED, 0);
	memory[0] = '1';
	CHECK_OK(msync(memory, 3 * PAGE, MS_SYNC));
	memory[PAGE] = '2';
	CHECK_OK(munmap(memory, 3 * PAGE));
	CHILD(pid)
		map_file(fd, 3 * PAGE, RW, MAP_SHARED, 0)[2 * PAGE] = '3';
	CHECK_EXIT(pid, 0);
	CHECK_EQ(pread(fd, got, 1, 0), 1);
	CHECK_EQ(pread(fd, got + 1, 1, PAGE), 1);
	CHECK_EQ(pread(fd, got + 2, 1, 2 * PAGE), 1);
	CHECK_STR(got, "123");
}

TEST("do bytes stored beyond the end, in the last page, not become part of the file?")
{
	char *memory, got;
	int fd;

	guest_scratch();
	fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	CHECK_EQ(write(fd, "abc", 3), 3);
	memory = map_file(fd, PAGE, RW, MAP_SHARED, 0);
	memory[3] = memory[100] = '!';
	CHECK_EQ(lseek(fd, 0, SEEK_END), 3);
	CHECK_OK(munmap(memory, PAGE));
	CHECK_OK(ftruncate(fd, 3));
	CHECK_OK(ftruncate(fd, 200));
	CHECK_EQ(pread(fd, &got, 1, 3), 1);
	CHECK_EQ(got, 0);
}

TEST("does mremap of a shared file mapping show the file further on?")
{
	char *memory;
	int fd;

	guest_scratch();
	fd = make_file("f", 6);
	memory = map_file(fd, 2 * PAGE, RW, MAP_SHARED, PAGE);
	memory = mremap(memory, 2 * PAGE, 5 * PAGE, MREMAP_MAYMOVE);
	CHECK(memory != MAP_FAILED);
	CHECK_EQ(memory[0], 'b');
	CHECK_EQ(memory[4 * PAGE], 'f');
}

TEST("does read() from a file into a mapping of the same file work?")
{
	char *memory;
	int fd;

	guest_scratch();
	fd = make_file("f", 4);
	memory = map_file(fd, 4 * PAGE, RW, MAP_SHARED, 0);
	CHECK_EQ(pread(fd, memory + PAGE, PAGE, 0), PAGE);
	CHECK_EQ(memory[PAGE], 'a');
	CHECK_EQ(memory[2 * PAGE - 1], 'a');
	CHECK_EQ(pwrite(fd, memory + 3 * PAGE, PAGE, 2 * PAGE), PAGE);
	CHECK_EQ(memory[2 * PAGE], 'd');
	CHECK_OK(madvise(memory, 4 * PAGE, MADV_DONTNEED));
	CHECK_EQ(pwrite(fd, memory, PAGE, 0), PAGE);
	CHECK_EQ(memory[0], 'a');
}

TEST("is a hole of a sparse file zero through a mapping, and filled by a store?")
{
	char *memory, got;
	int fd;

	guest_scratch();
	fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	CHECK_OK(ftruncate(fd, 1 << 20));
	memory = map_file(fd, 1 << 20, RW, MAP_SHARED, 0);
	CHECK_EQ(memory[500000], 0);
	memory[500000] = 'h';
	CHECK_EQ(pread(fd, &got, 1, 500000), 1);
	CHECK_EQ(got, 'h');
}

TEST("is mapped code of a file executable?")
{
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
	int fd;
	char *memory;

	guest_scratch();
	fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0700));
	CHECK_EQ(write(fd, code, sizeof code), sizeof code);
	memory = map_file(fd, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0);
	CHECK_EQ(((int (*)(void))memory)(), 42);
}

TEST("is /dev/zero mapped privately zero memory, and mapped shared memory common to fork's child?")
{
	int fd = CHECK_OK(open("/dev/zero", O_RDWR));
	char *own = map_file(fd, 2 * PAGE, RW, MAP_PRIVATE, 0);
	char *common = map_file(fd, PAGE, RW, MAP_SHARED, 0);
	pid_t pid;

	CHECK_EQ(own[PAGE], 0);
	own[PAGE] = 3;
	CHILD(pid)
		*common = own[PAGE];
	CHECK_EXIT(pid, 0);
	CHECK_EQ(*common, 3);
	CHECK_ERRNO((long)mmap(NULL, PAGE, RW, MAP_PRIVATE, CHECK_OK(open("/dev/null", O_RDWR)), 0),
		    ENODEV);
}

static int memfd(const char *name, unsigned flags)
{
	return syscall(SYS_memfd_create, name, flags);
}

TEST("is a memfd a file of size 0 that can be grown, mapped, shared and sealed?")
{
	char *memory, link[64] = "", path[64];
	int fd = CHECK_OK(memfd("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 0);
	CHECK_EQ(st.st_nlink, 0);
	CHECK(S_ISREG(st.st_mode));
	CHECK_OK(ftruncate(fd, 2 * PAGE));
	memory = map_file(fd, PAGE, RW, MAP_SHARED, PAGE);
	memory[0] = 'm';
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	CHECK_OK(readlink(path, link, sizeof link - 1));
	CHECK_STR(link, "/memfd:guest (deleted)");
	CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	CHECK_ERRNO(ftruncate(fd, PAGE), EPERM);
	CHECK_ERRNO(ftruncate(fd, 3 * PAGE), EPERM);
	CHECK_ERRNO(pwrite(fd, "x", 1, 2 * PAGE), EPERM);
	CHECK_OK(munmap(memory, PAGE));
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL));
	CHECK_ERRNO(pwrite(fd, "x", 1, 0), EPERM);
	CHECK_ERRNO((long)mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), EPERM);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, 0), EPERM);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
}

TEST("do only shared mappings that may write keep a memfd from being sealed?")
{
	int fd = CHECK_OK(memfd("guest", MFD_ALLOW_SEALING)), reads;
	char path[64], *private, *shared;

	CHECK_OK(ftruncate(fd, PAGE));
	private = map_file(fd, PAGE, RW, MAP_PRIVATE, 0);
	private[0] = 'p';
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	reads = CHECK_OK(open(path, O_RDONLY));
	shared = map_file(reads, PAGE, PROT_READ, MAP_SHARED, 0);
	CHECK_OK(munmap(map_file(fd, PAGE, PROT_READ, MAP_SHARED, 0), PAGE));
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	private[1] = 'q';
	CHECK_EQ(shared[0], 0);
	CHECK_ERRNO(mprotect(shared, PAGE, RW), EACCES);

	fd = CHECK_OK(memfd("guest", MFD_ALLOW_SEALING));
	CHECK_OK(ftruncate(fd, PAGE));
	shared = map_file(fd, PAGE, PROT_READ, MAP_SHARED, 0);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK_OK(mprotect(shared, PAGE, RW));
	shared[0] = 's';
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	shared[1] = 't';
	CHECK_ERRNO((long)mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), EPERM);
}

TEST("are wrong memfd names and flags refused, and is an unsealable one EPERM to seal?")
{
	char name[300];
	int fd = CHECK_OK(memfd("", 0));

	memset(name, 'n', sizeof name);
	name[250] = 0;
	CHECK_ERRNO(memfd(name, 0), EINVAL);
	name[249] = 0;
	CHECK_OK(memfd(name, 0));
	CHECK_ERRNO(memfd("x", 0x8000), EINVAL);
	CHECK_ERRNO(memfd((char *)8, 0), EFAULT);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
}

TEST_LIMIT("is a 16 MiB file written through a mapping read back whole by another process?", 60)
{
	size_t bytes = 16 << 20;
	uint32_t *words;
	int fd;
	pid_t pid;

	guest_scratch();
	fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	CHECK_OK(ftruncate(fd, bytes));
	words = (void *)map_file(fd, bytes, RW, MAP_SHARED, 0);
	for (size_t i = 0; i < bytes / 4; i++)
		words[i] = i * 2654435761u;
	CHILD(pid) {
		static uint32_t got[16384];
		int mine = CHECK_OK(open("f", O_RDONLY));

		for (size_t i = 0; i < bytes / 4; i += 16384) {
			CHECK_EQ(read(mine, got, sizeof got), sizeof got);
			for (size_t j = 0; j < 16384; j++) {
				if (got[j] != (uint32_t)((i + j) * 2654435761u))
					FAIL("word %zu is wrong", i + j);
			}
		}
	}
	CHECK_EXIT(pid, 0);
}

TEST("do process_vm_readv and writev copy between processes, and refuse strangers and holes?")
{
	char *memory = guest_private(PAGE), local[6] = "";
	struct guest_gate gate = guest_gate();
	struct iovec mine = { local, 5 }, theirs = { memory, 5 };
	pid_t pid;

	CHILD(pid) {
		strcpy(memory, "child");
		guest_gate_open(&gate);
		CHECK_SOON(((volatile char *)memory)[0] == 'H');
	}
	guest_gate_pass(&gate);
	CHECK_EQ(syscall(SYS_process_vm_readv, pid, &mine, 1, &theirs, 1, 0), 5);
	CHECK_STR(local, "child");
	memcpy(local, "Hello", 5);
	CHECK_EQ(syscall(SYS_process_vm_writev, pid, &mine, 1, &theirs, 1, 0), 5);
	CHECK_EXIT(pid, 0);
	CHECK_ERRNO(syscall(SYS_process_vm_readv, 999999, &mine, 1, &theirs, 1, 0), ESRCH);
	theirs.iov_base = (void *)8;
	CHECK_ERRNO(syscall(SYS_process_vm_readv, getpid(), &mine, 1, &theirs, 1, 0), EFAULT);
	theirs = (struct iovec){ memory, SIZE_MAX };
	CHECK_ERRNO(syscall(SYS_process_vm_readv, getpid(), &mine, 1, &theirs, 1, 0), EINVAL);
}

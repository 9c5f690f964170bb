/*
 * Says where its code, a mapping and its stack lie, and executes itself to say it again. With
 * "fixed" it first asks that nothing be placed at random.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "again";

	if (strcmp(what, "fixed") == 0) {
		personality(ADDR_NO_RANDOMIZE);
		what = "again";
	} else {
		void *mapping = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		printf("program %p mapping %p stack %p\n", (void *)main, mapping, (void *)&what);
		fflush(stdout);
		if (argc > 1 && strcmp(what, "last") == 0)
			return 0;
		what = "last";
	}
	execl("/places", "/places", what, (char *)NULL);
	return 1;
}

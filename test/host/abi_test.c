/*
 * Are the constants and structure layouts of kernel/abi those of the host's headers?
 *
 * A name that the host does not define is not compared; how many those are is bounded, so that the
 * comparison cannot quietly come to nothing.
 *
 * links:
 * helpers: abi_ours.c abi_libc.c abi_kernel.c abi_i386.c
 */
#include <stdio.h>
#include <string.h>

#include "abi_tables.h"
#include "host_test.h"

static const struct abi_constant *find(const struct abi_constant *table, size_t count,
				       const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

/*
 * Whether the host has the name. Flags are compared in 32 bits: their signedness differs between
 * headers.
 */
static bool compare(const struct abi_constant *ours, const struct abi_constant *host, size_t count)
{
	const struct abi_constant *other = find(host, count, ours->name);

	if (other == NULL)
		return false;
	if (ours->value != other->value && (unsigned)ours->value == (unsigned)other->value &&
	    (ours->value >> 32 == 0 || ours->value >> 32 == -1) &&
	    (other->value >> 32 == 0 || other->value >> 32 == -1))
		return true;
	host_test_equal(ours->value, other->value, __FILE__, __LINE__, ours->name);
	return true;
}

TEST(abi_constants)
{
	size_t unknown = 0;

	for (size_t i = 0; i < abi_ours_count; i++) {
		bool in_libc = compare(&abi_ours[i], abi_libc, abi_libc_count);
		bool in_kernel = compare(&abi_ours[i], abi_kernel, abi_kernel_count);

		if (!in_libc && !in_kernel) {
			printf("# the host has no %s\n", abi_ours[i].name);
			unknown++;
		}
	}
	printf("# %zu constants compared\n", abi_ours_count - unknown);
	CHECK(unknown * 20 < abi_ours_count);
}

TEST(abi_i386_system_calls)
{
	size_t unknown = 0;

	for (size_t i = 0; i < abi_ours_i386_count; i++)
		unknown += !compare(&abi_ours_i386[i], abi_i386, abi_i386_count);
	CHECK(unknown * 20 < abi_ours_i386_count);
}

static void compare_members(const struct abi_member *ours, const struct abi_member *host,
			    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		host_test_equal((long long)ours[i].offset, (long long)host[i].offset, __FILE__,
				__LINE__, ours[i].name);
		host_test_equal((long long)ours[i].size, (long long)host[i].size, __FILE__,
				__LINE__, ours[i].name);
		host_test_equal((long long)ours[i].structure_size,
				(long long)host[i].structure_size, __FILE__, __LINE__,
				ours[i].name);
	}
}

TEST(abi_structures)
{
	compare_members(abi_ours_libc_members, abi_libc_members, abi_libc_members_count);
	compare_members(abi_ours_kernel_members, abi_kernel_members, abi_kernel_members_count);
}

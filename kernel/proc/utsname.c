/*
 * The names that can be set: host and domain.
 */
#include "proc/utsname.h"

#include "abi/errno.h"
#include "core/spinlock.h"
#include "lib/string.h"

static struct spinlock names_lock = SPINLOCK_INIT(RANK_TRACE);
static char names[2][HOSTNAME_BYTES] GUARDED_BY(&names_lock) = { "tine", "(none)" };

void hostname_get(char *to, bool domain)
{
	spin_lock(&names_lock);
	memcpy(to, names[domain], HOSTNAME_BYTES);
	spin_unlock(&names_lock);
}

int hostname_set(const char *name, size_t length, bool domain)
{
	if (length >= HOSTNAME_BYTES)
		return -EINVAL;
	spin_lock(&names_lock);
	memset(names[domain], 0, HOSTNAME_BYTES);
	memcpy(names[domain], name, length);
	spin_unlock(&names_lock);
	return 0;
}

/*
 * What the linker asks for and no test of names and paths ever calls. No headers: only the names
 * matter.
 */
#include <stdlib.h>

#define UNUSED(name)                                                                             \
	void name(void);                                                                         \
	void name(void)                                                                          \
	{                                                                                        \
		abort();                                                                         \
	}

UNUSED(clear_user)
UNUSED(copy_from_user_nofault)
UNUSED(copy_from_user_partial)
UNUSED(copy_to_user_partial)
UNUSED(cred_current)
UNUSED(object_find_page)
UNUSED(object_get_page)
UNUSED(object_grab_page)
UNUSED(object_mark_dirty)
UNUSED(object_next_data)
UNUSED(object_next_hole)
UNUSED(object_page_unlock)
UNUSED(object_punch)
UNUSED(object_throttle)
UNUSED(object_zero_tail)
UNUSED(page_put_last)
UNUSED(wait_entry_init)
UNUSED(wait_finish)
UNUSED(wait_prepare)
UNUSED(wait_queue_add)
UNUSED(wait_queue_remove)
UNUSED(wait_sleep)

void *page_array;

/* Boot registers it; nothing is mapped here. */
void space_set_file_ops(void *get, void *put);
void space_set_file_ops(void *get, void *put)
{
	(void)get;
	(void)put;
}

/*
 * container_of(): from a pointer to a member back to the structure that holds it.
 *
 * It is what makes the intrusive lists, trees and hash chains of lib/ possible: the link lives in
 * the object, so putting an object on a list never allocates and so never fails. The member's type
 * is checked at compile time.
 */
#pragma once

#include <stddef.h>

#define container_of(pointer, type, member)                                                      \
	({                                                                                       \
		_Static_assert(__builtin_types_compatible_p(typeof(*(pointer)),                  \
							    typeof(((type *)0)->member)),        \
			       "container_of: the pointer is not to such a member");             \
		(type *)((char *)(pointer) - offsetof(type, member));                            \
	})

/*
 * eventfd.
 */
#pragma once

#define EFD_SEMAPHORE 01
#define EFD_CLOEXEC 02000000
#define EFD_NONBLOCK 04000

/*
 * Clocks, timers, timerfd.
 */
#pragma once

#include "abi/types.h"

struct abi_timespec {
	int64_t tv_sec;
	int64_t tv_nsec;
};
ABI_SIZE(abi_timespec, 16);

struct abi_timeval {
	int64_t tv_sec;
	int64_t tv_usec;
};
ABI_SIZE(abi_timeval, 16);

struct abi_itimerspec {
	struct abi_timespec it_interval;
	struct abi_timespec it_value;
};
ABI_SIZE(abi_itimerspec, 32);

struct abi_itimerval {
	struct abi_timeval it_interval;
	struct abi_timeval it_value;
};
ABI_SIZE(abi_itimerval, 32);

struct abi_timezone {
	int32_t tz_minuteswest;
	int32_t tz_dsttime;
};
ABI_SIZE(abi_timezone, 8);

struct abi_utimbuf {
	int64_t actime;
	int64_t modtime;
};
ABI_SIZE(abi_utimbuf, 16);

/* times: in ticks of a hundredth of a second */
struct abi_tms {
	int64_t tms_utime;
	int64_t tms_stime;
	int64_t tms_cutime;
	int64_t tms_cstime;
};
ABI_SIZE(abi_tms, 32);
#define USER_HZ 100

struct abi_timex {
	uint32_t modes;
	uint32_t pad0;
	int64_t offset;
	int64_t freq;
	int64_t maxerror;
	int64_t esterror;
	int32_t status;
	uint32_t pad1;
	int64_t constant;
	int64_t precision;
	int64_t tolerance;
	struct abi_timeval time;
	int64_t tick;
	int64_t ppsfreq;
	int64_t jitter;
	int32_t shift;
	uint32_t pad2;
	int64_t stabil;
	int64_t jitcnt;
	int64_t calcnt;
	int64_t errcnt;
	int64_t stbcnt;
	int32_t tai;
	int32_t pad3[11];
};
ABI_SIZE(abi_timex, 208);
ABI_OFFSET(abi_timex, time, 72);
ABI_OFFSET(abi_timex, tai, 160);

#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1
#define CLOCK_PROCESS_CPUTIME_ID 2
#define CLOCK_THREAD_CPUTIME_ID 3
#define CLOCK_MONOTONIC_RAW 4
#define CLOCK_REALTIME_COARSE 5
#define CLOCK_MONOTONIC_COARSE 6
#define CLOCK_BOOTTIME 7
#define CLOCK_REALTIME_ALARM 8
#define CLOCK_BOOTTIME_ALARM 9
#define CLOCK_TAI 11

#define TIMER_ABSTIME 1
#define ITIMER_REAL 0
#define ITIMER_VIRTUAL 1
#define ITIMER_PROF 2
#define UTIME_NOW 1073741823
#define UTIME_OMIT 1073741822
#define TFD_CLOEXEC 02000000
#define TFD_NONBLOCK 04000
#define TFD_TIMER_ABSTIME 1
#define TFD_TIMER_CANCEL_ON_SET 2
#define TIME_OK 0
#define STA_UNSYNC 64

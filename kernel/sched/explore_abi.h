/*
 * What the explorer's program (test/explore) and /dev/explore say to each other, by ioctl(2). No
 * types but C's own: both sides include it.
 */
#pragma once

#define EXPLORE_SHOTS 2
#define EXPLORE_NAME_BYTES 48

/* What a shot does to the thread that it hits. */
#define EXPLORE_SWITCH 1u	/* another one runs, as after a wake-up; it goes to the back */
#define EXPLORE_SLICE 2u	/* its slice has ended: headway decides */
#define EXPLORE_CALL 4u		/* the thread in EXPLORE_AWAIT on this processor is woken */

/* Instructions from EXPLORE_ARM, or from the shot before; 0: no shot. */
struct explore_shot {
	unsigned int after, action;
};

/*
 * The shots of this processor. `repeat`: the last one is fired again and again, at most that often
 * in all. `hold`: the kernel's timers wait until EXPLORE_END, not only until the last shot.
 * `base_ns`: the first shot counts from this time (CLOCK_MONOTONIC); 0: from EXPLORE_ARM.
 */
struct explore_plan {
	struct explore_shot shot[EXPLORE_SHOTS];
	unsigned int repeat, hold;
	unsigned long base_ns;
};

/* Where a shot hit. `late`: the instructions, more or less, that interrupts were off meanwhile. */
struct explore_hit {
	unsigned long pc, thread;
	unsigned int from_user, held, late, idle;
};

struct explore_result {
	unsigned int hits;
	unsigned int interrupts;	/* others, before the first hit: the count includes them */
	unsigned long due_ns;		/* when the first shot was to come */
	struct explore_hit hit[EXPLORE_SHOTS];
};

struct explore_counts {
	unsigned long objects, free_pages;
};

#define EXPLORE_ARM 0x5401		/* struct explore_plan */
#define EXPLORE_END 0x5402		/* struct explore_result; what did not hit is taken back */
#define EXPLORE_AWAIT 0x5403		/* sleeps until an EXPLORE_CALL here */
#define EXPLORE_COUNTS 0x5404		/* struct explore_counts: what is in use */
#define EXPLORE_DRAIN 0x5405		/* gives what mem/ keeps for reuse back first */
#define EXPLORE_STEADY 0x5406		/* the calls' sampling begins anew: it costs instructions */
#define EXPLORE_NAME 0x5407		/* char[EXPLORE_NAME_BYTES]: a panic says it */

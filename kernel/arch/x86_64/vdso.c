/*
 * The vDSO from the kernel's side: where its image lies, and the data that it reads.
 */
#include "arch/x86_64/vdso.h"

#include "arch/arch_down.h"
#include "arch/x86_64/clock.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/vdso_data.h"
#include "core/atomic.h"
#include "core/spinlock.h"

extern const char vdso_image_start[], vdso_image_end[];

static union { struct vdso_data data; char page[PAGE_SIZE]; } vdso_page
	__attribute__((aligned(PAGE_SIZE)));
static struct spinlock vdso_lock = SPINLOCK_INIT(RANK_TRACE);

static void write_begin(void) REQUIRES(&vdso_lock)
{
	__atomic_fetch_add(&vdso_page.data.sequence, 1, __ATOMIC_ACQ_REL);
}

static void write_end(void) REQUIRES(&vdso_lock)
{
	__atomic_fetch_add(&vdso_page.data.sequence, 1, __ATOMIC_RELEASE);
}

void vdso_init(void)
{
	struct vdso_data *d = &vdso_page.data;

	d->has_rdtscp = cpu_features.rdtscp;
	d->tsc_base = tsc_scale.base;
	d->tsc_mult = tsc_scale.mult;
}

void arch_vdso_set_wall_offset(uint64_t offset_ns)
{
	irq_state_t state = spin_lock_irqsave(&vdso_lock);

	write_begin();
	vdso_page.data.wall_offset_ns = offset_ns;
	write_end();
	spin_unlock_irqrestore(&vdso_lock, state);
}

size_t arch_vdso_image(phys_t *start)
{
	*start = image_to_phys(vdso_image_start);
	return (size_t)(vdso_image_end - vdso_image_start);
}

phys_t arch_vdso_data(void) { return image_to_phys(&vdso_page); }

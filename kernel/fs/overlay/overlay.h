/*
 * overlay: a writable layer over others that stay as they are.
 */
#pragma once

void overlay_init(void);		/* registers the type "overlay" */

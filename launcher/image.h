/*
 * image.h - bootable images.
 */
#pragma once

/* Writes an ISO that boots from BIOS and UEFI to `file`; the exit status. */
int image_iso(const char *file);

/*
 * When memory has ended and a page is needed: the victim.
 */
#pragma once

/* Ends the process that frees most (its resident size, shifted by oom_score_adj), unless one is
 * dying already; then lets it die. The caller tries again afterwards. Sleeps. */
void oom_relieve(void);

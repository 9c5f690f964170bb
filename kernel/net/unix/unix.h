/*
 * AF_UNIX: sockets between programs of this machine (unix(7)). Stream, datagram, seqpacket.
 */
#pragma once

void unix_init(void);

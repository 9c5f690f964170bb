/*
 * Sockets: addresses, messages, ancillary data, options.
 */
#pragma once

#include "abi/types.h"

#define AF_UNSPEC 0
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16
#define AF_PACKET 17
#define AF_LOCAL AF_UNIX

#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_RAW 3
#define SOCK_RDM 4
#define SOCK_SEQPACKET 5
#define SOCK_MAX 11
#define SOCK_TYPE_MASK 0xf
#define SOCK_CLOEXEC 02000000
#define SOCK_NONBLOCK 04000

#define IPPROTO_IP 0
#define IPPROTO_ICMP 1
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_IPV6 41
#define IPPROTO_ICMPV6 58
#define IPPROTO_RAW 255

#define SHUT_RD 0
#define SHUT_WR 1
#define SHUT_RDWR 2
#define SOMAXCONN 4096

/* message flags */
#define MSG_OOB 0x1
#define MSG_PEEK 0x2
#define MSG_DONTROUTE 0x4
#define MSG_CTRUNC 0x8
#define MSG_TRUNC 0x20
#define MSG_DONTWAIT 0x40
#define MSG_EOR 0x80
#define MSG_WAITALL 0x100
#define MSG_CONFIRM 0x800
#define MSG_ERRQUEUE 0x2000
#define MSG_NOSIGNAL 0x4000
#define MSG_MORE 0x8000
#define MSG_WAITFORONE 0x10000
#define MSG_FASTOPEN 0x20000000
#define MSG_CMSG_CLOEXEC 0x40000000
#define MSG_CMSG_COMPAT 0x80000000u	/* Linux's own, not for programs */

/* socket options */
#define SOL_SOCKET 1
#define SO_DEBUG 1
#define SO_REUSEADDR 2
#define SO_TYPE 3
#define SO_ERROR 4
#define SO_DONTROUTE 5
#define SO_BROADCAST 6
#define SO_SNDBUF 7
#define SO_RCVBUF 8
#define SO_KEEPALIVE 9
#define SO_OOBINLINE 10
#define SO_NO_CHECK 11
#define SO_PRIORITY 12
#define SO_LINGER 13
#define SO_BSDCOMPAT 14
#define SO_REUSEPORT 15
#define SO_PASSCRED 16
#define SO_PEERCRED 17
#define SO_RCVLOWAT 18
#define SO_SNDLOWAT 19
#define SO_RCVTIMEO 20
#define SO_SNDTIMEO 21
#define SO_BINDTODEVICE 25
#define SO_PEERNAME 28
#define SO_TIMESTAMP 29
#define SO_ACCEPTCONN 30
#define SO_PEERSEC 31
#define SO_SNDBUFFORCE 32
#define SO_RCVBUFFORCE 33
#define SO_PASSSEC 34
#define SO_MARK 36
#define SO_PROTOCOL 38
#define SO_DOMAIN 39
#define SO_PEERGROUPS 59
#define SO_ATTACH_FILTER 26
#define SO_DETACH_FILTER 27
#define SO_BUSY_POLL 46
#define SO_INCOMING_CPU 49
#define SO_COOKIE 57
#define TCP_NODELAY 1
#define TCP_MAXSEG 2
#define TCP_CORK 3
#define TCP_KEEPIDLE 4
#define TCP_KEEPINTVL 5
#define TCP_KEEPCNT 6
#define TCP_SYNCNT 7
#define TCP_LINGER2 8
#define TCP_DEFER_ACCEPT 9
#define TCP_WINDOW_CLAMP 10
#define TCP_INFO 11
#define TCP_QUICKACK 12
#define TCP_CONGESTION 13
#define TCP_USER_TIMEOUT 18
#define TCP_FASTOPEN 23
#define IP_TOS 1
#define IP_TTL 2
#define IP_HDRINCL 3
#define IP_OPTIONS 4
#define IP_RECVOPTS 6
#define IP_PKTINFO 8
#define IP_MTU_DISCOVER 10
#define IP_RECVERR 11
#define IP_RECVTTL 12
#define IP_MTU 14
#define IP_MULTICAST_IF 32
#define IP_MULTICAST_TTL 33
#define IP_MULTICAST_LOOP 34
#define IP_ADD_MEMBERSHIP 35
#define IP_DROP_MEMBERSHIP 36
#define IPV6_UNICAST_HOPS 16
#define IPV6_V6ONLY 26
#define IPV6_RECVPKTINFO 49
#define IPV6_RECVERR 25
#define IPV6_TCLASS 67

/* ancillary data */
#define SCM_RIGHTS 1
#define SCM_CREDENTIALS 2
#define SCM_MAX_FD 253

#define UNIX_PATH_MAX 108

struct abi_sockaddr {
	uint16_t sa_family;
	char sa_data[14];
};
ABI_SIZE(abi_sockaddr, 16);

struct abi_sockaddr_storage {
	uint16_t ss_family;
	char data[126];
} __attribute__((aligned(8)));
ABI_SIZE(abi_sockaddr_storage, 128);

struct abi_sockaddr_un {
	uint16_t sun_family;
	char sun_path[UNIX_PATH_MAX];
};
ABI_SIZE(abi_sockaddr_un, 110);

struct abi_in_addr {
	uint32_t s_addr; /* network order */
};
ABI_SIZE(abi_in_addr, 4);

struct abi_sockaddr_in {
	uint16_t sin_family;
	uint16_t sin_port; /* network order */
	struct abi_in_addr sin_addr;
	uint8_t sin_zero[8];
};
ABI_SIZE(abi_sockaddr_in, 16);

struct abi_in6_addr {
	uint8_t s6_addr[16];
};
ABI_SIZE(abi_in6_addr, 16);

struct abi_sockaddr_in6 {
	uint16_t sin6_family;
	uint16_t sin6_port; /* network order */
	uint32_t sin6_flowinfo;
	struct abi_in6_addr sin6_addr;
	uint32_t sin6_scope_id;
};
ABI_SIZE(abi_sockaddr_in6, 28);

struct abi_msghdr {
	uint64_t msg_name;
	int32_t msg_namelen;
	uint32_t pad0;
	uint64_t msg_iov;
	uint64_t msg_iovlen;
	uint64_t msg_control;
	uint64_t msg_controllen;
	uint32_t msg_flags;
	uint32_t pad1;
};
ABI_SIZE(abi_msghdr, 56);
ABI_OFFSET(abi_msghdr, msg_iov, 16);
ABI_OFFSET(abi_msghdr, msg_flags, 48);

struct abi_mmsghdr {
	struct abi_msghdr msg_hdr;
	uint32_t msg_len;
	uint32_t pad;
};
ABI_SIZE(abi_mmsghdr, 64);

/* The data follows, and the next header at the next multiple of 8. */
struct abi_cmsghdr {
	uint64_t cmsg_len; /* header and data, without padding */
	int32_t cmsg_level;
	int32_t cmsg_type;
};
ABI_SIZE(abi_cmsghdr, 16);

struct abi_ucred {
	int32_t pid;
	uint32_t uid;
	uint32_t gid;
};
ABI_SIZE(abi_ucred, 12);

struct abi_linger {
	int32_t l_onoff;
	int32_t l_linger; /* seconds */
};
ABI_SIZE(abi_linger, 8);

/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the tcp transport share. */
#ifndef HR_TCP_H
#define HR_TCP_H

#include <netdb.h>
#include <sys/un.h>

#include "helpers.h"
#include "transport.h"

typedef struct hr_tcp {
    hr_transport base;
    char congestion[32]; /* "": chosen for each connection */
    size_t send_buffer;
    unsigned user_timeout_ms;
    hr_helpers *resolver; /* one thread, made when the first name is looked up */
} hr_tcp;

/* ---- tcp_address.c ---- */

/* "host:port", "[v6]:port" or ":port" */
typedef struct hr_tcp_address {
    char host[256];
    char port[6];
} hr_tcp_address;

/* HR_INVALID: not such a text. */
HR_CHECKED hr_status hr_tcp_address_parse(const char *text, hr_tcp_address *address_out);
void hr_tcp_address_print(const struct sockaddr *address, char text_out[64]);
/* What a connection needs besides the defaults, on either side. Refusals are harmless. */
void hr_tcp_tune(const hr_tcp *tcp, int fd);
/* The address of the other side, printed. */
void hr_tcp_peer(int fd, char text_out[64]);

/* ---- tcp_unix.c: "unix:/run/headrace.sock" ---- */

bool hr_unix_is(const char *address);
/* HR_INVALID: its path is not absolute, or longer than such addresses are. */
HR_CHECKED hr_status hr_unix_parse(const char *address, struct sockaddr_un *parsed_out);
/* 0 or errno. EADDRINUSE: somebody listens there, or it is no socket. */
int hr_unix_listen(const struct sockaddr_un *address, int backlog, int *fd_out);
/* False: fd is no such socket. text_out: "uid:N:PID". */
bool hr_unix_peer(int fd, uint32_t *uid_out, char text_out[64]);

/* ---- tcp_dial.c ---- */

/* hr_dial: from an address to a connected socket over which the greeting was sent. Tries each
 * address that a name has. */
typedef struct hr_dial hr_dial;
struct hr_dial {
    void (*done)(hr_dial *dial, hr_status status); /* once; HR_OK: fd is the owner's */
    int fd;

    hr_tcp *tcp;
    hr_tcp_address address;
    uint8_t greeting[HR_GREETING_LEN];
    bool is_silent; /* no greeting is sent */
    struct addrinfo *found;
    const struct addrinfo *next;
    struct sockaddr_un file_address; /* of a socket of the file system */
    struct addrinfo file_info;
    int resolve_result; /* EAI_… */
    hr_job job;
    hr_task task;
    hr_timer timer;
    hr_op op;
    struct iovec iov;
    bool is_op_under_way;
    bool canceled;
    hr_status failure; /* of the last address */
};

/* Starts it; done comes from a later step. HR_INVALID: the address; HR_NO_MEMORY, HR_LIMIT. */
HR_CHECKED hr_status hr_dial_start(hr_dial *dial, hr_tcp *tcp, const char *address,
                                   const hr_greeting *greeting);
/* done comes with HR_CANCELED (or with HR_OK, if it was faster). */
void hr_dial_cancel(hr_dial *dial);

/* ---- tcp_listener.c ---- */

hr_status hr_tcp_listen(hr_transport *transport, const char *address,
                        const hr_listener_events *events, void *context, hr_listener **listener_out,
                        char bound_out[64]);
void hr_tcp_unlisten(hr_listener *listener);
void hr_tcp_refuse(hr_transport *transport, hr_incoming *incoming);
/* Takes the socket out of an incoming connection, tuned, and its first record, which is released by
 * who asked for it (NULL: there is none, or it is not wanted). */
int hr_tcp_accept(hr_transport *transport, hr_incoming *incoming, uint8_t **first_out,
                  size_t *first_len_out);

/* ---- tcp_channel.c, tcp_link.c: the two tables ---- */

hr_status hr_tcp_channel_connect(hr_transport *transport, const char *address,
                                 const hr_greeting *greeting, const hr_channel_events *events,
                                 void *context, hr_channel **channel_out);
hr_status hr_tcp_channel_adopt(hr_transport *transport, hr_incoming *incoming,
                               const hr_channel_events *events, void *context,
                               hr_channel **channel_out);
hr_status hr_tcp_channel_send(hr_channel *channel, const void *bytes, size_t len);
void hr_tcp_channel_close(hr_channel *channel);
void hr_tcp_channel_destroy(hr_channel *channel);

hr_status hr_tcp_link_connect(hr_transport *transport, const char *address, unsigned rail,
                              const hr_greeting *greeting, const hr_link_events *events,
                              void *context, hr_link **link_out);
hr_status hr_tcp_link_adopt(hr_transport *transport, hr_incoming *incoming,
                            const hr_link_events *events, void *context, hr_link **link_out);
void hr_tcp_link_write(hr_link *link, hr_link_write *write);
hr_status hr_tcp_link_arm(hr_link *link, hr_place *place);
bool hr_tcp_link_disarm(hr_link *link, hr_place *place);
bool hr_tcp_link_peek(hr_link *link, uint64_t transfer, uint32_t chunk, uint32_t generation,
                      hr_span *span_out);
void hr_tcp_link_close(hr_link *link);
void hr_tcp_link_destroy(hr_link *link);

#endif

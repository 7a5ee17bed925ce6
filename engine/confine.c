/* SPDX-License-Identifier: Apache-2.0 */
/* What a server gives up before it listens: everything that it does not need for what it was told
 * to serve. It holds for every thread that is made afterwards, and cannot be taken back. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "address.h"
#include "headrace.h"
#include "identity.h"
#include "landlock.h"
#include "quantity.h"
#include "secret.h"

typedef struct teller {
    void (*told)(void *context, bool lacking, const char *line);
    void *context;
} teller;

static void tell(const teller *to, bool lacking, const char *before, const char *what,
                 const char *after)
{
    char line[300];
    snprintf(line, sizeof line, "%s%s%s", before, what, after);
    to->told(to->context, lacking, line);
}

/* ---- what may be opened ---- */

/* What is loaded or looked at late: providers of verbs, the name service, where the devices are. */
static const struct {
    const char *path;
    uint64_t rights;
} system_paths[] = {
    {"/usr", HR_LANDLOCK_READ},
    {"/lib", HR_LANDLOCK_READ},
    {"/lib64", HR_LANDLOCK_READ},
    {"/sys", HR_LANDLOCK_READ},
    {"/proc/self", HR_LANDLOCK_READ},
    {"/proc/sys/kernel", HR_LANDLOCK_READ},
    {"/proc/sys/vm", HR_LANDLOCK_READ},
    {"/proc/meminfo", HR_LANDLOCK_READ},
    {"/proc/cpuinfo", HR_LANDLOCK_READ},
    {"/etc/libibverbs.d", HR_LANDLOCK_READ},
    {"/etc/ld.so.cache", HR_LANDLOCK_READ},
    {"/etc/hosts", HR_LANDLOCK_READ},
    {"/etc/host.conf", HR_LANDLOCK_READ},
    {"/etc/resolv.conf", HR_LANDLOCK_READ},
    {"/run/systemd/resolve", HR_LANDLOCK_READ},
    {"/etc/nsswitch.conf", HR_LANDLOCK_READ},
    {"/etc/gai.conf", HR_LANDLOCK_READ},
    {"/etc/localtime", HR_LANDLOCK_READ},
    {"/dev/null", HR_LANDLOCK_READ | HR_LANDLOCK_WRITE},
    {"/dev/urandom", HR_LANDLOCK_READ},
    {"/dev/infiniband", HR_LANDLOCK_READ | HR_LANDLOCK_WRITE | HR_LANDLOCK_IOCTL},
};

/* Files are replaced by renaming, so it is the directory that stays the same: of the name that was
 * given, and of the file that it leads to. */
static void allow_beside(int rules, const char *path, uint64_t rights)
{
    char directory[HR_SECRET_PATH_MAX];
    char *real = realpath(path, NULL);
    const char *const names[] = {path, real};
    for (unsigned i = 0; i < 2 && names[i] != NULL; i++) {
        const char *slash = strrchr(names[i], '/');
        size_t len = slash != NULL ? (size_t)(slash - names[i]) : 0;
        snprintf(directory, sizeof directory, "%.*s", (int)len, names[i]);
        hr_landlock_allow(rules, len > 0 ? directory : slash != NULL ? "/" : ".", rights);
    }
    free(real);
}

static void allow_all(int rules, const hr_server_options *options)
{
    char own_key[HR_SECRET_PATH_MAX];
    hr_error none;
    for (size_t i = 0; i < options->export_count; i++)
        hr_landlock_allow(rules, options->exports[i].path, HR_LANDLOCK_READ);
    const char *const read_again[] = {
        options->trust.key_path,
        options->trust.ca_path,
        options->trust.crl_path,
        options->rules_path,
        options->trust.key_path == NULL && !options->trust.insecure &&
                hr_secret_own_path(own_key, &none) == HR_OK
            ? own_key
            : NULL,
    };
    for (unsigned i = 0; i < sizeof read_again / sizeof read_again[0]; i++)
        if (read_again[i] != NULL)
            allow_beside(rules, read_again[i], HR_LANDLOCK_READ);
    if (options->audit_path != NULL)
        allow_beside(rules, options->audit_path, HR_LANDLOCK_WRITE | HR_LANDLOCK_MAKE_FILE);
    if (options->listen != NULL && hr_address_is_file(options->listen))
        allow_beside(rules, options->listen + sizeof "unix:" - 1,
                     HR_LANDLOCK_MAKE_SOCKET | HR_LANDLOCK_REMOVE_FILE);
    for (unsigned i = 0; i < sizeof system_paths / sizeof system_paths[0]; i++)
        hr_landlock_allow(rules, system_paths[i].path, system_paths[i].rights);
    hr_landlock_allow(rules, "/proc/self/exe", HR_LANDLOCK_READ); /* how O_DIRECT is tried */
}

static void lock_land(const hr_server_options *options, const teller *to)
{
    int rules;
    int error = hr_landlock_begin(&rules);
    if (error == 0) {
        allow_all(rules, options);
        error = hr_landlock_end(rules);
    }
    if (error == 0)
        tell(to, false, "Landlock: nothing but the exports",
             options->audit_path != NULL ? ", keys and the audit" : " and keys",
             hr_landlock_has_network()
                 ? " can be opened, and no connection made"
                 : " can be opened; connections are not confined before Linux 6.7");
    else
        tell(to, true, "Landlock confines nothing here (", strerror(error),
             "): this server can open what its user can");
}

/* ---- what root may ---- */

static uint64_t bit(unsigned capability)
{
    return UINT64_C(1) << capability;
}

/* Who reads the exports as root goes on reading them; who locks memory without a limit, too. */
static uint64_t wanted(uint64_t held, const hr_server_options *options)
{
    const char *port = options->listen != NULL ? strrchr(options->listen, ':') : NULL;
    unsigned number = 0;
    bool is_low = port != NULL && hr_quantity_unsigned(port + 1, &number) == HR_OK && number > 0 &&
                  number < 1024;
    uint64_t keep = bit(CAP_DAC_READ_SEARCH) | bit(CAP_IPC_LOCK);
    if ((held & bit(CAP_DAC_READ_SEARCH)) == 0) /* in containers, root has only the wider one */
        keep |= bit(CAP_DAC_OVERRIDE);
    if (is_low)
        keep |= bit(CAP_NET_BIND_SERVICE);
    return held & keep;
}

/* 0 or errno. */
static int drop_capabilities(const hr_server_options *options, uint64_t *kept_out)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    if (syscall(SYS_capget, &header, data) != 0)
        return errno;
    uint64_t held = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    uint64_t keep = wanted(held, options);
    for (unsigned i = 0; i < 2; i++) {
        data[i].permitted = data[i].effective = (uint32_t)(keep >> (32 * i));
        data[i].inheritable = 0;
    }
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    *kept_out = keep;
    return syscall(SYS_capset, &header, data) == 0 ? 0 : errno;
}

static void drop_rights(const hr_server_options *options, const teller *to)
{
    uint64_t kept = 0;
    int error = drop_capabilities(options, &kept);
    if (error != 0)
        tell(to, true, "capabilities cannot be dropped: ", strerror(error), "");
    else
        tell(to, false, "capabilities: ",
             kept == 0 ? "none"
                       : "dropped, but for reading every file and locking memory, since it runs "
                         "as root",
             "");
}

hr_status hr_server_confine(const hr_server_options *options,
                            void (*told)(void *context, bool lacking, const char *line),
                            void *context, hr_error *error)
{
    const teller to = {.told = told, .context = context};
    bool is_file = options->listen != NULL && hr_address_is_file(options->listen);
    if (!options->trust.insecure && !is_file) {
        /* The first start makes the user's key, which it cannot do any more afterwards. */
        hr_identity *identity;
        hr_status status = hr_identity_load(hr_env_system(), &options->trust, HR_SIDE_SERVER, true,
                                            &identity, error);
        if (status != HR_OK)
            return status;
        hr_identity_release(identity);
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        tell(&to, true, "no_new_privs cannot be set: ", strerror(errno), "");
    lock_land(options, &to);
    drop_rights(options, &to);
    return HR_OK;
}

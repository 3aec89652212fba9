#define _GNU_SOURCE
#include "csqlite.h"
#include <fcntl.h>
#include <sys/vfs.h>

int offpeak_sqlite_configure(void) {
    // Without allocation statistics, allocations of different connections do not meet at one mutex.
    int result = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (result != SQLITE_OK) return result;
    return sqlite3_initialize();
}

int offpeak_sqlite_db_config(sqlite3 *db, int option, int on, int *now_on) {
    return sqlite3_db_config(db, option, on, now_on);
}

sqlite3_destructor_type offpeak_sqlite_transient(void) { return SQLITE_TRANSIENT; }

long long offpeak_filesystem_type(const char *path) {
    struct statfs result;
    if (statfs(path, &result) != 0) return -1;
    return (long long)(unsigned int)result.f_type;
}

static int set_byte(int descriptor, long long offset, short type) {
    struct flock request = {.l_type = type, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1, .l_pid = 0};
    return fcntl(descriptor, F_OFD_SETLK, &request);
}

int offpeak_lock_byte(int descriptor, long long offset) { return set_byte(descriptor, offset, F_WRLCK); }

int offpeak_unlock_byte(int descriptor, long long offset) { return set_byte(descriptor, offset, F_UNLCK); }

int offpeak_byte_is_locked(int descriptor, long long offset) {
    struct flock request = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1, .l_pid = 0};
    if (fcntl(descriptor, F_OFD_GETLK, &request) != 0) return -1;
    return request.l_type != F_UNLCK;
}

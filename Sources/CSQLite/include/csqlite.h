// What Swift cannot call of SQLite and of Linux: variadic functions, pointer-valued macros, file system types.
#ifndef OFFPEAK_CSQLITE_H
#define OFFPEAK_CSQLITE_H
#include <sqlite3.h>

// Process-wide settings; must run before the first connection. Returns a SQLite result code.
int offpeak_sqlite_configure(void);

// Sets a boolean connection option (SQLITE_DBCONFIG_…); *now_on receives the value in effect afterwards.
int offpeak_sqlite_db_config(sqlite3 *db, int option, int on, int *now_on);

// The destructor value that makes SQLite copy what is bound.
sqlite3_destructor_type offpeak_sqlite_transient(void);

// The magic number of the file system that holds the path (statfs), or -1 with errno set.
long long offpeak_filesystem_type(const char *path);

// Takes an exclusive lock on one byte of an open file, without waiting: 0, or -1 with errno set (EAGAIN: held by another).
// The lock belongs to the open file description: it ends with the descriptor or the process, whichever is first.
int offpeak_lock_byte(int descriptor, long long offset);

// Gives the lock on one byte back.
int offpeak_unlock_byte(int descriptor, long long offset);

// Whether somebody else holds such a lock: 1 or 0, or -1 with errno set. Takes nothing, so that it is in nobody's way.
int offpeak_byte_is_locked(int descriptor, long long offset);
#endif

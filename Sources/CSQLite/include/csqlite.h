#ifndef OFFPEAK_CSQLITE_H
#define OFFPEAK_CSQLITE_H
#include <sqlite3.h>
#endif

#ifndef OFFPEAK_CCURL_H
#define OFFPEAK_CCURL_H
#endif

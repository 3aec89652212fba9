// Swift's Glibc module leaves these two kernel interfaces out.
#include <sys/epoll.h>
#include <sys/eventfd.h>

// The part of libcurl's stable ABI that offpeak uses, declared by us so that no development package is needed. Numbers
// and signatures are libcurl's documented interface (https://curl.se/libcurl/c/), which does not change within
// soname 4. The setters are variadic in C, which Swift cannot call, hence the small typed wrappers at the end.
#ifndef OFFPEAK_CCURL_H
#define OFFPEAK_CCURL_H

#include <stddef.h>
#include <stdint.h>

typedef struct OffpeakCurlEasy CURL;
typedef struct OffpeakCurlMulti CURLM;
typedef struct OffpeakCurlURL CURLU;

struct curl_slist {
    char *data;
    struct curl_slist *next;
};

struct curl_blob {
    void *data;
    size_t len;
    unsigned int flags;
};

// What curl_multi_info_read returns.
typedef struct {
    int msg;
    CURL *easy_handle;
    union {
        void *whatever;
        int result;
    } data;
} CURLMsg;

enum { CURLMSG_DONE = 1 };

// Options of one transfer: long values from 0, pointers from 10000, functions from 20000, 64-bit values from 30000,
// blobs from 40000.
enum {
    CURLOPT_SSLVERSION = 32,
    CURLOPT_NOPROGRESS = 43,
    CURLOPT_UPLOAD_AS_POST = 47,
    CURLOPT_FOLLOWLOCATION = 52,
    CURLOPT_SSL_VERIFYPEER = 64,
    CURLOPT_HTTPGET = 80,
    CURLOPT_SSL_VERIFYHOST = 81,
    CURLOPT_HTTP_VERSION = 84,
    CURLOPT_NOSIGNAL = 99,
    CURLOPT_TCP_NODELAY = 121,
    CURLOPT_TIMEOUT_MS = 155,
    CURLOPT_TCP_KEEPALIVE = 213,
    CURLOPT_SUPPRESS_CONNECT_HEADERS = 265,
    CURLOPT_UPLOAD_BUFFERSIZE = 280,
    CURLOPT_MAXAGE_CONN = 288,
    CURLOPT_WRITEDATA = 10001,
    CURLOPT_URL = 10002,
    CURLOPT_PROXY = 10004,
    CURLOPT_READDATA = 10009,
    CURLOPT_ERRORBUFFER = 10010,
    CURLOPT_USERAGENT = 10018,
    CURLOPT_HTTPHEADER = 10023,
    CURLOPT_HEADERDATA = 10029,
    CURLOPT_CAPATH = 10097,
    CURLOPT_ACCEPT_ENCODING = 10102,
    CURLOPT_PRIVATE = 10103,
    CURLOPT_SOCKOPTDATA = 10149,
    CURLOPT_SEEKDATA = 10168,
    CURLOPT_PREREQDATA = 10313,
    CURLOPT_PROTOCOLS_STR = 10318,
    CURLOPT_WRITEFUNCTION = 20011,
    CURLOPT_READFUNCTION = 20012,
    CURLOPT_HEADERFUNCTION = 20079,
    CURLOPT_SOCKOPTFUNCTION = 20148,
    CURLOPT_SEEKFUNCTION = 20167,
    CURLOPT_PREREQFUNCTION = 20312,
    CURLOPT_POSTFIELDSIZE_LARGE = 30120,
    CURLOPT_CAINFO_BLOB = 40309,
};

enum { CURL_HTTP_VERSION_2TLS = 4, CURL_SSLVERSION_TLSv1_2 = 6, CURL_SEEKFUNC_OK = 0, CURL_SEEKFUNC_FAIL = 1 };

enum {
    CURLMOPT_PIPELINING = 3,
    CURLMOPT_MAXCONNECTS = 6,
    CURLMOPT_MAX_CONCURRENT_STREAMS = 16,
    CURLMOPT_SOCKETDATA = 10002,
    CURLMOPT_TIMERDATA = 10005,
    CURLMOPT_SOCKETFUNCTION = 20001,
    CURLMOPT_TIMERFUNCTION = 20004,
};

enum { CURLPIPE_MULTIPLEX = 2 };

enum {
    CURLINFO_RESPONSE_CODE = 0x200000 + 2,
    CURLINFO_PRIVATE = 0x100000 + 21,
    CURLINFO_CAINFO = 0x100000 + 61,
    CURLINFO_TLS_SSL_PTR = 0x400000 + 45,
    CURLINFO_SIZE_UPLOAD_T = 0x600000 + 7,
};

// Result codes that are told apart.
enum {
    CURLE_OK = 0,
    CURLE_UNSUPPORTED_PROTOCOL = 1,
    CURLE_URL_MALFORMAT = 3,
    CURLE_COULDNT_RESOLVE_PROXY = 5,
    CURLE_COULDNT_RESOLVE_HOST = 6,
    CURLE_COULDNT_CONNECT = 7,
    CURLE_HTTP2 = 16,
    CURLE_PARTIAL_FILE = 18,
    CURLE_WRITE_ERROR = 23,
    CURLE_OPERATION_TIMEDOUT = 28,
    CURLE_SSL_CONNECT_ERROR = 35,
    CURLE_GOT_NOTHING = 52,
    CURLE_SSL_CERTPROBLEM = 58,
    CURLE_SSL_CIPHER = 59,
    CURLE_PEER_FAILED_VERIFICATION = 60,
    CURLE_SEND_FAIL_REWIND = 65,
    CURLE_SSL_CACERT_BADFILE = 77,
    CURLE_SSL_ISSUER_ERROR = 83,
};

// The socket and timer interface.
enum { CURL_POLL_IN = 1, CURL_POLL_OUT = 2, CURL_POLL_INOUT = 3, CURL_POLL_REMOVE = 4 };
enum { CURL_CSELECT_IN = 1, CURL_CSELECT_OUT = 2, CURL_CSELECT_ERR = 4, CURL_SOCKET_TIMEOUT = -1 };

enum { CURLUPART_URL = 0, CURLUPART_SCHEME = 1, CURLUPART_USER = 2, CURLUPART_HOST = 5 };

int curl_global_init(long flags);
CURL *curl_easy_init(void);
void curl_easy_cleanup(CURL *handle);
const char *curl_easy_strerror(int code);
void curl_free(void *pointer);
struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text);
void curl_slist_free_all(struct curl_slist *list);
CURLM *curl_multi_init(void);
int curl_multi_cleanup(CURLM *multi);
int curl_multi_add_handle(CURLM *multi, CURL *handle);
int curl_multi_remove_handle(CURLM *multi, CURL *handle);
int curl_multi_socket_action(CURLM *multi, int socket, int events, int *running);
CURLMsg *curl_multi_info_read(CURLM *multi, int *left);
CURLU *curl_url(void);
void curl_url_cleanup(CURLU *handle);
int curl_url_set(CURLU *handle, int part, const char *content, unsigned int flags);
int curl_url_get(const CURLU *handle, int part, char **content, unsigned int flags);

typedef size_t (*offpeak_curl_data)(char *, size_t, size_t, void *);
typedef int (*offpeak_curl_seek)(void *, int64_t, int);
typedef int (*offpeak_curl_opened)(void *, int, int);
typedef int (*offpeak_curl_prerequest)(void *, char *, char *, int, int);
typedef int (*offpeak_curl_socket)(CURL *, int, int, void *, void *);
typedef int (*offpeak_curl_timer)(CURLM *, long, void *);

int offpeak_curl_set_long(CURL *handle, int option, long value);
int offpeak_curl_set_size(CURL *handle, int option, int64_t value);
int offpeak_curl_set_string(CURL *handle, int option, const char *value);
int offpeak_curl_set_pointer(CURL *handle, int option, void *value);
int offpeak_curl_set_data(CURL *handle, int option, offpeak_curl_data function);
int offpeak_curl_set_seek(CURL *handle, offpeak_curl_seek function, void *data);
int offpeak_curl_set_opened(CURL *handle, offpeak_curl_opened function, void *data);
int offpeak_curl_set_prerequest(CURL *handle, offpeak_curl_prerequest function, void *data);
int offpeak_curl_get_long(CURL *handle, int info, long *value);
int offpeak_curl_get_size(CURL *handle, int info, int64_t *value);
int offpeak_curl_get_string(CURL *handle, int info, const char **value);
int offpeak_curl_get_private(CURL *handle, void **value);
// 1 when the connection of a request that is about to be sent speaks HTTP/2; 0 when not, or when nobody can tell.
int offpeak_curl_speaks_http2(CURL *handle);
int offpeak_curl_multi_set_long(CURLM *multi, int option, long value);
int offpeak_curl_multi_set_socket(CURLM *multi, offpeak_curl_socket function, void *data);
int offpeak_curl_multi_set_timer(CURLM *multi, offpeak_curl_timer function, void *data);

#endif

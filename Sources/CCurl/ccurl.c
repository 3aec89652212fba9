#define _GNU_SOURCE
#include "ccurl.h"
#include <dlfcn.h>
#include <string.h>

int curl_easy_setopt(CURL *handle, int option, ...);
int curl_easy_getinfo(CURL *handle, int info, ...);
int curl_multi_setopt(CURLM *multi, int option, ...);

int offpeak_curl_set_long(CURL *handle, int option, long value) { return curl_easy_setopt(handle, option, value); }
int offpeak_curl_set_size(CURL *handle, int option, int64_t value) { return curl_easy_setopt(handle, option, value); }
int offpeak_curl_set_string(CURL *handle, int option, const char *value) { return curl_easy_setopt(handle, option, value); }
int offpeak_curl_set_pointer(CURL *handle, int option, void *value) { return curl_easy_setopt(handle, option, value); }
int offpeak_curl_set_data(CURL *handle, int option, offpeak_curl_data function) { return curl_easy_setopt(handle, option, function); }
int offpeak_curl_get_long(CURL *handle, int info, long *value) { return curl_easy_getinfo(handle, info, value); }
int offpeak_curl_get_size(CURL *handle, int info, int64_t *value) { return curl_easy_getinfo(handle, info, value); }
int offpeak_curl_get_string(CURL *handle, int info, const char **value) { return curl_easy_getinfo(handle, info, value); }
int offpeak_curl_get_private(CURL *handle, void **value) { return curl_easy_getinfo(handle, CURLINFO_PRIVATE, value); }
int offpeak_curl_multi_set_long(CURLM *multi, int option, long value) { return curl_multi_setopt(multi, option, value); }

int offpeak_curl_set_seek(CURL *handle, offpeak_curl_seek function, void *data) {
    int code = curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, function);
    return code ? code : curl_easy_setopt(handle, CURLOPT_SEEKDATA, data);
}

int offpeak_curl_set_opened(CURL *handle, offpeak_curl_opened function, void *data) {
    int code = curl_easy_setopt(handle, CURLOPT_SOCKOPTFUNCTION, function);
    return code ? code : curl_easy_setopt(handle, CURLOPT_SOCKOPTDATA, data);
}

int offpeak_curl_set_prerequest(CURL *handle, offpeak_curl_prerequest function, void *data) {
    int code = curl_easy_setopt(handle, CURLOPT_PREREQFUNCTION, function);
    return code ? code : curl_easy_setopt(handle, CURLOPT_PREREQDATA, data);
}

// libcurl tells the protocol of a connection only with its first answer, which for a model is much too late. The TLS
// library that libcurl has loaded knows it from the handshake on.
int offpeak_curl_speaks_http2(CURL *handle) {
    enum { BACKEND_OPENSSL = 1 };
    struct {
        int backend;
        void *internals;
    } *session = NULL;
    if (curl_easy_getinfo(handle, CURLINFO_TLS_SSL_PTR, &session) || !session) return 0;
    if (session->backend != BACKEND_OPENSSL || !session->internals) return 0;
    void (*selected)(const void *, const unsigned char **, unsigned int *);
    *(void **)&selected = dlsym(RTLD_DEFAULT, "SSL_get0_alpn_selected");
    if (!selected) return 0;
    const unsigned char *name = NULL;
    unsigned int length = 0;
    selected(session->internals, &name, &length);
    return length == 2 && memcmp(name, "h2", 2) == 0;
}

int offpeak_curl_multi_set_socket(CURLM *multi, offpeak_curl_socket function, void *data) {
    int code = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, function);
    return code ? code : curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, data);
}

int offpeak_curl_multi_set_timer(CURLM *multi, offpeak_curl_timer function, void *data) {
    int code = curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, function);
    return code ? code : curl_multi_setopt(multi, CURLMOPT_TIMERDATA, data);
}

/* SPDX-License-Identifier: MIT */
/*
 * libmicrohttpd brings a TLS library with it, more memory than all of the daemon. So it is loaded
 * when a page is configured, and not before.
 */
#include "http.h"

#include <dlfcn.h>
#include <string.h>

struct http_library mhd;

static bool load_symbol(const char *name, void *ret, size_t size)
{
	void *symbol = dlsym(mhd.handle, name);

	memcpy(ret, &symbol, size);
	return symbol != NULL;
}

static bool load_symbols(void)
{
#define LOAD(name) load_symbol("MHD_" #name, &mhd.name, sizeof(mhd.name))
	return LOAD(start_daemon) && LOAD(stop_daemon) && LOAD(run) && LOAD(add_connection) &&
	       LOAD(get_timeout) && LOAD(get_daemon_info) && LOAD(lookup_connection_value) &&
	       LOAD(get_connection_info) && LOAD(suspend_connection) && LOAD(resume_connection) &&
	       LOAD(create_response_from_callback) && LOAD(add_response_header) &&
	       LOAD(queue_response) && LOAD(destroy_response);
#undef LOAD
}

/* A library without one of them is as good as none. */
static bool load_library(char *why, size_t why_cap)
{
	if (mhd.handle)
		return true;
	mhd.handle = dlopen("libmicrohttpd.so.12", RTLD_NOW | RTLD_LOCAL);
	if (mhd.handle && load_symbols())
		return true;
	snprintf(why, why_cap, "%s", dlerror());
	if (mhd.handle)
		dlclose(mhd.handle);
	mhd.handle = NULL;
	return false;
}

bool pb_http_available(char *why, size_t why_cap)
{
	char reason[256];

	if (load_library(reason, sizeof(reason)))
		return true;
	snprintf(why, why_cap,
		 "a status page needs libmicrohttpd 0.9 (Debian: apt install libmicrohttpd12): %s",
		 reason);
	return false;
}

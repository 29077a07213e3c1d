/* SPDX-License-Identifier: MIT */
/* A byte stream of a JK board. */
#include "bms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_codec(&pb_codec_jk, data, size);
	return 0;
}

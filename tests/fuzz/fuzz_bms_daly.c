/* SPDX-License-Identifier: MIT */
/* A byte stream of a Daly board, in each dialect. */
#include "bms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (const struct pb_codec *codec = &pb_codec_daly; codec; codec = codec->next)
		fuzz_codec(codec, data, size);
	return 0;
}

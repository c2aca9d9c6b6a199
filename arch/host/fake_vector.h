/*
 * Vector state for host unit tests: an "XSAVE image" of fixed size with a pattern.
 * Implements arch_vector_bytes, _save_user and _restore_user.
 */
#ifndef ARCH_HOST_FAKE_VECTOR_H
#define ARCH_HOST_FAKE_VECTOR_H

#include "lib/compiler.h"

#define FAKE_VECTOR_BYTES 832 /* legacy area, header, upper halves of YMM */

extern uint8_t fake_vector_state[FAKE_VECTOR_BYTES]; /* of the current thread */
extern bool fake_vector_is_initial;                  /* since the last save or restore */

#endif

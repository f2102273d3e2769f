/* Attributes and small macros that every room uses. */
#ifndef BASE_MACROS_H
#define BASE_MACROS_H

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif

/* What tools/testing/selftests/vfio of Linux 7.2 uses and does not define (the compiler is told to include this first). */
#include <stdlib.h>

#define calloc_assert(count, size) ({                                   \
	void *allocated = calloc((count), (size));                      \
	VFIO_ASSERT_NOT_NULL(allocated, "no memory");                   \
	allocated;                                                      \
})

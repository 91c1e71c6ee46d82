// CpuRelax: what a spinning thread does between two looks at a word.
//
// It tells the processor that this is a spin: a hyper-thread sibling gets the
// execution units, power is saved, and the pipeline is not flushed when the word
// changes. One source file an instruction set, chosen in BUILD.

#ifndef HOME_QUEUE_CPU_RELAX_H_
#define HOME_QUEUE_CPU_RELAX_H_

namespace home::queue_internal {

void CpuRelax();

}  // namespace home::queue_internal

#endif  // HOME_QUEUE_CPU_RELAX_H_

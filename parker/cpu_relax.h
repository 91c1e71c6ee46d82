// CpuRelax: what a spinning thread does between two looks at a word.
//
// It tells the processor that this is a spin: a hyper-thread sibling gets the
// execution units, power is saved, and the pipeline is not flushed when the word
// changes. One source file an instruction set, chosen in BUILD.

#ifndef HOME_PARKER_CPU_RELAX_H_
#define HOME_PARKER_CPU_RELAX_H_

namespace home::parker_internal {

void CpuRelax();

}  // namespace home::parker_internal

#endif  // HOME_PARKER_CPU_RELAX_H_

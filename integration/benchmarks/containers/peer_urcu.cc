// liburcu's wfcqueue: intrusive, many producers with a wait-free exchange each. Its dequeue
// waits for a producer between its exchange and its store; the non-blocking form below
// answers "empty" or "would block", and both count as nothing there.

#define _LGPL_SOURCE
#include <urcu/wfcqueue.h>

#include "home/integration/benchmarks/containers/queue_workloads.h"

namespace home::containers {
namespace {

struct UrcuNode : cds_wfcq_node {
  Element element = 0;
};

class Wfcqueue {
 public:
  using Node = UrcuNode;
  Wfcqueue() { cds_wfcq_init(&head_, &tail_); }
  ~Wfcqueue() { cds_wfcq_destroy(&head_, &tail_); }
  void Push(Node* node) {
    cds_wfcq_node_init(node);
    cds_wfcq_enqueue(cds_wfcq_head_cast(&head_), &tail_, node);
  }
  Node* Pop() {
    cds_wfcq_node* node = __cds_wfcq_dequeue_nonblocking(cds_wfcq_head_cast(&head_), &tail_);
    return node == CDS_WFCQ_WOULDBLOCK ? nullptr : static_cast<Node*>(node);
  }

 private:
  alignas(64) cds_wfcq_head head_;
  alignas(64) cds_wfcq_tail tail_;
};

const bool kAdded = AddIntrusiveMpsc<Wfcqueue>("urcu_wfcqueue");

}  // namespace
}  // namespace home::containers

# For gdb, of a program that it has stopped, or of its core, compiled with -g and without NDEBUG:
#
#   (gdb) source tools/home.gdb
#   (gdb) home_locks          who holds the primitives of home/sync, and who waits for them
#
# What a line is made of stands in future/lock_watch.h.

define home_locks
  # The program may have stopped where there are no names of C++.
  set language c++
  if home::internal::lock_lists == 0
    printf "No primitive of home/sync has been held or waited for.\n"
  else
    set $lists = (home::internal::LockList *) home::internal::lock_lists
    set $count = sizeof(*home::internal::lock_lists) / sizeof(home::internal::LockList)
    set $list = 0
    while $list < $count
      set $entry = $lists[$list].first
      while $entry != 0
        set $use = &$entry->use
        printf "%s at %p, ", $use->kind, $use->lock
        if $use->holds
          printf "held by "
        else
          printf "awaited by "
        end
        if $use->task.poll == 0
          printf "a thread"
        else
          printf "task %lu", $use->task.id
          if $use->task.name != 0
            printf " \"%s\"", $use->task.name
          end
        end
        printf " at %s:%u\n", $use->location._M_impl->_M_file_name, $use->location._M_impl->_M_line
        set $entry = $entry->next
      end
      set $list = $list + 1
    end
  end
  set language auto
end
document home_locks
Who holds the primitives of home/sync, and who waits for them. In debug builds.
end

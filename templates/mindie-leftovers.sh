# What a daemon leaves in shared memory when its start fails or it is killed, and the next one has no room beside it.
# First: MindIE 3.0.0's segments and semaphores as seen; then: the names in the guide for several nodes.
find /dev/shm -regextype posix-extended -type f -regex \
  '.*/(sem\.)?[0-9]+_[0-9]+_(execute|transfer|shared_sync_link|recover_command)_.*' -delete
find /dev/shm -type f \( -name '*llm_backend_*' -o -name 'llm_tokenizer_shared_memory_*' \) -delete

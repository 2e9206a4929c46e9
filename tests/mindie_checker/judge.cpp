// Reads lines "config.json<TAB>rank_table.json" and lets MindIE's own ConfigManager judge each in a process of
// its own. After what it printed comes a line with a record separator (0x1e) and 0 if it accepts.
#include <Python.h>
#include <sched.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "config_manager.h"

int main() {
    Py_Initialize();  // MindIE asks Python where its packages are.
    std::string line;
    while (std::getline(std::cin, line)) {
        std::cout << std::flush;
        const pid_t child = fork();
        if (child == 0) {
            const auto tab = line.find('\t');
            if (tab != std::string::npos && tab + 1 < line.size()) {
                setenv("RANK_TABLE_FILE", line.substr(tab + 1).c_str(), 1);
            }
            dup2(1, 2);
            const bool accepted = mindie_llm::ConfigManager::CreateInstance(line.substr(0, tab));
            std::cout << std::flush;
            _exit(accepted ? 0 : 1);
        }
        int status = 0;
        waitpid(child, &status, 0);
        std::cout << '\x1e' << (WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status)) << std::endl;
    }
}

// The watcher of config.json sleeps 10 s at a time, also where it is only waited for to end.
extern "C" int nanosleep(const timespec *, timespec *) {
    sched_yield();
    return 0;
}
extern "C" int clock_nanosleep(clockid_t, int, const timespec *, timespec *) {
    sched_yield();
    return 0;
}

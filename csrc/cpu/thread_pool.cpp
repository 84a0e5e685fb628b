#include "crossphase/thread_pool.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace crossphase {
namespace {

struct Job {
    Job(std::ptrdiff_t count, const std::function<void(std::ptrdiff_t)>& work) : n_tasks(count), task(work) {}

    void help(InterruptCheck check) {
        for (std::ptrdiff_t i = next.fetch_add(1); i < n_tasks; i = next.fetch_add(1)) {
            if (!has_failed.load()) {
                try {
                    if (check != nullptr) {
                        check();
                    }
                    task(i);
                } catch (...) {
                    const std::lock_guard lock(mutex);
                    if (!has_failed.exchange(true)) {
                        error = std::current_exception();
                    }
                }
            }
            if (n_done.fetch_add(1) + 1 == n_tasks) {
                const std::lock_guard lock(mutex);
                all_done.notify_all();
            }
        }
    }

    void wait() {
        std::unique_lock lock(mutex);
        all_done.wait(lock, [&] { return n_done.load() == n_tasks; });
    }

    const std::ptrdiff_t n_tasks;
    const std::function<void(std::ptrdiff_t)>& task;  // outlives its last call: the caller waits for n_done
    std::atomic<std::ptrdiff_t> next{0};
    std::atomic<std::ptrdiff_t> n_done{0};
    std::atomic<bool> has_failed{false};
    std::exception_ptr error;
    std::mutex mutex;
    std::condition_variable all_done;
};

class ThreadPool {
  public:
    void offer(const std::shared_ptr<Job>& job, int n_helpers) {
        const std::lock_guard lock(mutex_);
        for (; n_workers_ < n_helpers; ++n_workers_) {
            std::thread([this] { serve(); }).detach();  // the pool is never destroyed, see instance()
        }
        for (int i = 0; i < n_helpers; ++i) {
            jobs_.push_back(job);
        }
        work_arrived_.notify_all();
    }

  private:
    void serve() {
        for (;;) {
            std::shared_ptr<Job> job;
            {
                std::unique_lock lock(mutex_);
                work_arrived_.wait(lock, [&] { return !jobs_.empty(); });
                job = std::move(jobs_.front());
                jobs_.pop_front();
            }
            job->help(nullptr);
        }
    }

    std::mutex mutex_;
    std::condition_variable work_arrived_;
    std::deque<std::shared_ptr<Job>> jobs_;
    int n_workers_ = 0;
};

// A forked child inherits the pool's memory but none of its threads, and perhaps a lock that nobody will release. So
// the pool is a leaked object behind a pointer: the child drops the pointer and builds its own on first use.
std::atomic<ThreadPool*> pool{nullptr};

InterruptCheck interrupt_check = nullptr;

ThreadPool& instance() {
    static const int registered = pthread_atfork(nullptr, nullptr, [] { pool.store(nullptr); });
    static_cast<void>(registered);
    ThreadPool* current = pool.load();
    if (current == nullptr) {
        auto fresh = std::make_unique<ThreadPool>();
        if (pool.compare_exchange_strong(current, fresh.get())) {
            current = fresh.release();
        }
    }
    return *current;
}

}  // namespace

void set_interrupt_check(InterruptCheck check) {
    interrupt_check = check;
}

void parallel_for(std::ptrdiff_t n_tasks, int n_threads, const std::function<void(std::ptrdiff_t)>& task) {
    const auto job = std::make_shared<Job>(n_tasks, task);
    const auto n_helpers = static_cast<int>(std::min<std::ptrdiff_t>(n_threads, n_tasks)) - 1;
    if (n_helpers > 0) {
        instance().offer(job, n_helpers);
    }
    if (n_tasks > 0) {
        job->help(interrupt_check);
        job->wait();
    }
    // Taken out of the job: a worker may drop the last reference to that, and an exception of Python's must die on the
    // thread that raised it.
    if (std::exception_ptr error = std::exchange(job->error, nullptr)) {
        std::rethrow_exception(std::move(error));
    }
}

}  // namespace crossphase

#pragma once
// Music from `halfstep feed`, a process beside the host: a thread reads it ahead, the audio thread takes it.

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

extern char** environ;

namespace halfstep {

/// Which piece: another number is another order, and what was made for the one before is thrown away.
struct Order {
    uint16_t number = 0;
    uint16_t permille = 0;  ///< variation, in thousandths
    uint32_t seed = 0;

    uint64_t packed() const { return uint64_t(number) << 48 | uint64_t(permille) << 32 | seed; }
    static Order of(uint64_t packed) {
        return {uint16_t(packed >> 48), uint16_t(packed >> 32), uint32_t(packed)};
    }
};

/// The process, its pipes, and the thread that reads them. begin, available and take are of the audio thread: they
/// neither wait nor allocate. One writes the ring, the other reads it; after `begin` nobody reads until it is empty.
class Feed {
public:
    static constexpr uint64_t kRing = 1 << 18;  ///< samples made ahead at most: 5.5 s at 48 kHz

    ~Feed() {
        stopping_ = true;
        if (thread_.joinable())
            thread_.join();
    }

    /// Of the orders to come. A host that looks at plugins activates them too: the process starts with the first order.
    void prepare(double sampleRate) {
        rate_ = unsigned(std::lround(sampleRate));
        if (thread_.joinable())
            return;
        ring_.assign(kRing, 0.f);
        thread_ = std::thread([this] { work(); });
    }

    void begin(uint32_t seed, float variation) {
        Order order = Order::of(wanted_.load());
        order.number = order.number == UINT16_MAX ? 1 : order.number + 1;
        order.permille = uint16_t(std::lround(1000 * variation));
        order.seed = seed;
        wanted_.store(order.packed());
    }

    /// Samples that wait to be taken.
    uint64_t available() const { return ready_ == wanted_ ? written_ - read_ : 0; }

    /// No more will come: the process could not be started, or ended.
    bool failed() const { return failed_; }

    /// At most `count` of them to `out` (nowhere for nullptr); how many.
    uint64_t take(float* out, uint64_t count) {
        count = std::min(count, available());
        const uint64_t from = read_;
        for (uint64_t i = 0; out != nullptr && i < count; ++i)
            out[i] = ring_[(from + i) % kRing];
        read_ = from + count;
        return count;
    }

private:
    void work() {
        sigset_t broken;  // a process that is gone is seen by what write says, not by a signal to the host
        sigemptyset(&broken);
        sigaddset(&broken, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &broken, nullptr);
        while (!stopping_ && ready_ == wanted_)
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        if (stopping_)
            return;
        if (!spawn()) {
            failed_ = true;
            return;
        }
        std::vector<uint8_t> bytes;
        while (!stopping_ && !failed_) {
            if (ready_ != wanted_)
                send(wanted_);
            if (bytes.size() < kMostBytes)
                receive(bytes);
            else
                std::this_thread::sleep_for(std::chrono::milliseconds(5));
            unpack(bytes);
        }
        finish();
    }

    void send(uint64_t packed) {
        const Order order = Order::of(packed);
        char line[160];
        const int length = std::snprintf(
            line, sizeof line, "{\"order\": %u, \"seed\": %u, \"permille\": %u, \"sample_rate\": %u}\n",
            unsigned(order.number), order.seed, unsigned(order.permille), rate_.load());
        if (write(to_, line, size_t(length)) != length)
            failed_ = true;
        read_ = written_ = 0;
        ready_ = packed;
    }

    void receive(std::vector<uint8_t>& bytes) {
        pollfd waiting{from_, POLLIN, 0};
        if (poll(&waiting, 1, 5) <= 0)
            return;
        uint8_t part[1 << 16];
        const ssize_t got = read(from_, part, sizeof part);
        if (got > 0)
            bytes.insert(bytes.end(), part, part + got);
        else if (got == 0)
            failed_ = true;
    }

    /// Records of an order's number, how many samples, and they: to the ring, as far as there is room.
    void unpack(std::vector<uint8_t>& bytes) {
        size_t place = 0;
        while (bytes.size() - place >= 8) {
            uint32_t head[2];
            std::memcpy(head, bytes.data() + place, 8);
            const size_t size = 8 + 4 * size_t(head[1]);
            const bool current = head[0] == Order::of(ready_).number;
            if (bytes.size() - place < size || (current && kRing - (written_ - read_) < head[1]))
                break;
            const uint64_t to = written_;
            for (uint32_t i = 0; current && i < head[1]; ++i)
                std::memcpy(&ring_[(to + i) % kRing], bytes.data() + place + 8 + 4 * i, 4);
            if (current)
                written_ = to + head[1];
            place += size;
        }
        bytes.erase(bytes.begin(), bytes.begin() + long(place));
    }

    bool spawn() {
        int in[2], out[2];
        if (pipe(in) != 0)
            return false;
        if (pipe(out) != 0) {
            close(in[0]), close(in[1]);
            return false;
        }
        for (int end : {in[0], in[1], out[0], out[1]})
            fcntl(end, F_SETFD, FD_CLOEXEC);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
        posix_spawnattr_t usual;
        posix_spawnattr_init(&usual);
        sigset_t none;
        sigemptyset(&none);
        posix_spawnattr_setsigmask(&usual, &none);
        posix_spawnattr_setflags(&usual, POSIX_SPAWN_SETSIGMASK);
        const bool started = spawn("HALFSTEP_COMMAND", "halfstep", actions, usual) ||
                             spawn("HOME", "/.local/bin/halfstep", actions, usual);
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&usual);
        close(in[0]), close(out[1]);
        to_ = in[1], from_ = out[0];
        if (!started)
            close(to_), close(from_);
        return started;
    }

    /// HALFSTEP_COMMAND names the command; without it, it is looked for in PATH, then in the user's own folder.
    bool spawn(const char* variable, const char* name, posix_spawn_file_actions_t& actions, posix_spawnattr_t& usual) {
        const char* value = std::getenv(variable);
        const bool whole = std::strcmp(variable, "HALFSTEP_COMMAND") == 0;
        if (!whole && value == nullptr)
            return false;
        std::string command = whole ? (value == nullptr ? name : value) : std::string(value) + name;
        std::string feed = "feed";
        char* const words[] = {command.data(), feed.data(), nullptr};
        return posix_spawnp(&child_, command.c_str(), &actions, &usual, words, environ) == 0;
    }

    /// The process ends as its input does; one that does not within two seconds is ended.
    void finish() {
        close(to_), close(from_);
        for (int i = 0; i < 400; ++i) {
            if (waitpid(child_, nullptr, WNOHANG) != 0)
                return;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        kill(child_, SIGKILL);
        waitpid(child_, nullptr, 0);
    }

    static constexpr size_t kMostBytes = 1 << 20;  ///< read from the pipe and not yet in the ring

    std::thread thread_;
    std::vector<float> ring_;
    std::atomic<uint64_t> wanted_{0}, ready_{0}, written_{0}, read_{0};
    std::atomic<bool> stopping_{false}, failed_{false};
    std::atomic<unsigned> rate_{48000};
    pid_t child_ = 0;
    int to_ = -1, from_ = -1;
};

}  // namespace halfstep

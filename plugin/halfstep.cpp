// halfstep as an instrument: a key begins a piece, and letting it go ends it. Middle C plays the seed of the slider, the
// key above it the next seed. The sound is made by `halfstep feed`, which reads the model folder; see feed.hpp.

#include "DistrhoPlugin.hpp"
#include "feed.hpp"

START_NAMESPACE_DISTRHO

enum { kSeed, kVariation, kGain, kHold, kWait, kParameters };

class Halfstep : public Plugin {
public:
    Halfstep() : Plugin(kParameters, 0, 0) {}

protected:
    const char* getLabel() const override { return "halfstep"; }
    const char* getDescription() const override { return "Endless music; a key begins a piece."; }
    const char* getMaker() const override { return "the halfstep authors"; }
    const char* getLicense() const override { return "MIT"; }
    uint32_t getVersion() const override { return d_version(0, 1, 0); }
    int64_t getUniqueId() const override { return d_cconst('h', 'l', 'f', 's'); }

    void initParameter(uint32_t index, Parameter& parameter) override {
        static const struct {
            const char *name, *symbol, *unit;
            float least, most, usual;
            uint32_t hints;
        } all[kParameters] = {
            {"Seed", "seed", "", 0, 9999, 0, kParameterIsInteger},
            {"Variation", "variation", "", 0, 1, 0, 0},
            {"Gain", "gain", "dB", -60, 12, 0, kParameterIsAutomatable},
            {"Hold", "hold", "", 0, 1, 0, kParameterIsAutomatable | kParameterIsBoolean},
            {"Wait", "wait", "", 0, 1, 0, kParameterIsBoolean},
        };
        const auto& one = all[index];
        parameter.hints = one.hints;
        parameter.name = one.name;
        parameter.symbol = one.symbol;
        parameter.unit = one.unit;
        parameter.ranges = ParameterRanges(one.usual, one.least, one.most);
    }

    float getParameterValue(uint32_t index) const override { return values_[index]; }

    void setParameterValue(uint32_t index, float value) override { values_[index] = value; }

    void activate() override {
        reset();
        fade_ = uint32_t(getSampleRate() / 100);
        tail_.assign(fade_, 0.f);
        ahead_ = uint32_t(getSampleRate() / 4);
        if (!isDummyInstance())
            feed_.prepare(getSampleRate());
    }

    void run(const float**, float** outputs, uint32_t frames, const MidiEvent* events, uint32_t count) override {
        if (held() && !playing_)
            begin(60);
        else if (!held() && playing_ && key_ == kNoKey)
            playing_ = false;
        uint32_t done = 0;
        for (uint32_t i = 0; i < count; ++i) {
            const uint32_t until = std::min(std::max(events[i].frame, done), frames);
            render(outputs, done, until);
            done = until;
            if (events[i].size == 3)
                hear(events[i].data[0] & 0xf0, events[i].data[1], events[i].data[2]);
        }
        render(outputs, done, frames);
    }

private:
    static constexpr int kNoKey = -1;

    bool held() const { return values_[kHold] > .5f; }
    float gain() const { return std::pow(10.f, values_[kGain] / 20); }
    bool waits() const { return values_[kWait] > .5f; }

    void reset() {
        key_ = kNoKey;
        playing_ = false;
        dry_ = true;
        level_ = 0;
        owed_ = tailLeft_ = 0;
    }

    void hear(uint8_t kind, uint8_t key, uint8_t velocity) {
        if (kind == 0x90 && velocity > 0) {
            begin(key);
            key_ = key;
        } else if ((kind == 0x80 || kind == 0x90) && key == key_) {
            key_ = kNoKey;
            playing_ = held();
        } else if (kind == 0xb0 && (key == 120 || key == 123)) {  // all sound off, all notes off
            key_ = kNoKey;
            playing_ = held();
        }
    }

    void begin(int key) {
        const uint64_t left = level_ > 0 ? feed_.take(tail_.data(), fade_) : 0;
        for (uint64_t i = 0; i < left; ++i)
            tail_[i] *= level_ * gain() * float(left - i) / float(fade_);
        tailLeft_ = tailLength_ = left;
        feed_.begin(uint32_t(std::max(0, int(values_[kSeed]) + key - 60)), values_[kVariation]);
        playing_ = dry_ = true;
        level_ = 0;
        owed_ = 0;
    }

    /// What is late is passed over, so that a piece stays where it would be; a bounce waits for it instead.
    void render(float** outputs, uint32_t first, uint32_t last) {
        float* out = outputs[0] + first;
        const uint64_t count = last - first;
        std::fill(out, out + count, 0.f);
        if (count > 0 && (playing_ || level_ > 0)) {
            if (waits())
                wait(count);
            owed_ -= feed_.take(nullptr, owed_);
            const uint64_t there = feed_.available();
            const bool enough = waits() ? there >= count : there >= count + (dry_ ? ahead_ : fade_);
            dry_ = !enough;
            const uint64_t got = feed_.take(out, count);
            owed_ += waits() ? 0 : count - got;
            sound(out, count, playing_ && enough);
        }
        for (uint64_t i = 0; i < count && tailLeft_ > 0; ++i)  // of the piece before, faded out
            out[i] += tail_[tailLength_ - tailLeft_--];
        std::copy(out, out + count, outputs[1] + first);
    }

    /// Apply the gain, and a fade of a hundredth of a second where music begins or ends late or by a key let go.
    void sound(float* out, uint64_t count, bool on) {
        const float loud = gain(), step = 1.f / float(fade_);
        if (waits() && on)
            level_ = 1;
        for (uint64_t i = 0; i < count; ++i) {
            level_ = std::min(1.f, std::max(0.f, level_ + (on ? step : -step)));
            out[i] *= loud * level_;
        }
    }

    /// Not for a stage: the host's bounce is held up until there is enough, half a minute at most.
    void wait(uint64_t count) {
        for (int i = 0; i < 30000 && feed_.available() < count && !feed_.failed(); ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }

    halfstep::Feed feed_;
    float values_[kParameters] = {};
    int key_ = kNoKey;
    bool playing_ = false, dry_ = true;
    float level_ = 0;
    uint64_t owed_ = 0, tailLeft_ = 0, tailLength_ = 0;
    std::vector<float> tail_;
    uint32_t fade_ = 480, ahead_ = 12000;
};

Plugin* createPlugin() { return new Halfstep(); }

END_NAMESPACE_DISTRHO

// SPDX-License-Identifier: Apache-2.0
// A server and a client, in one engine, that meet over NICs that are none (support/verbs_fake.h),
// and a target in a GPU that is none (tests/fake_cuda), which keeps back what a NIC wrote until it
// is flushed.
#ifndef HR_PROCESS_GPUDIRECT_H
#define HR_PROCESS_GPUDIRECT_H

#include "content.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <unistd.h>
#include <vector>

extern "C" {
#include "fake_cuda.h"
#include "headrace.h"
#include "helpers.h"
#include "platform.h"
#include "probe.h"
#include "temp.h"
#include "verbs_fake.h"
}

inline constexpr size_t CHUNK = 4 << 20;

// ---- the NIC's way to the GPU ----

// Of the messages that it writes there (a probe is one) so many, from that one on, are wrong by a
// bit or refused on the bus.
struct Some {
    unsigned first = 0, count = 0;
    bool has(unsigned number) const
    {
        return number >= first && number - first < count;
    }
};
inline std::atomic<unsigned> messages;
inline std::atomic<Some> wrong, refused;

inline int write_to_gpu(uint64_t address, const void *bytes, size_t len)
{
    std::string copy(static_cast<const char *>(bytes), len);
    const unsigned number = ++messages;
    if (refused.load().has(number))
        return -1;
    if (wrong.load().has(number))
        copy[len / 2] ^= 8;
    return fake_cuda_write(address, copy.data(), len);
}

// The NIC stops when the target is registered: the probe stays under way.
inline std::atomic<bool> holds;

inline uint64_t dmabuf_of_gpu(int fd, uint64_t offset)
{
    if (holds.exchange(false))
        hr_verbs_fake_hold(true);
    return fake_cuda_dmabuf(fd, offset);
}

inline const hr_verbs_fake_gpu GPU = {dmabuf_of_gpu, fake_cuda_has, write_to_gpu};

inline hr_verbs *verbs;
inline unsigned rail_count;
inline hr_verbs_calls rail_calls;
inline std::atomic<unsigned> asked_by_worker, asked_by_helper; // for addresses
inline pthread_t worker;

inline int asking_addresses(struct ifaddrs **addresses_out)
{
    (pthread_equal(pthread_self(), worker) != 0 ? asked_by_worker : asked_by_helper)++;
    return hr_verbs_fake_calls()->get_addresses(addresses_out);
}

inline const hr_transport_ops *plain_ops;
inline hr_transport_ops rails_ops;
inline std::string rails_port;

// Addresses of the loopback interface are of no use to peers elsewhere, and a listener leaves them
// out; here they are all there is, one a device.
inline hr_status listen_on_rails(hr_transport *transport, const char *address,
                                 const hr_listener_events *events, void *context,
                                 hr_listener **listener_out, char *bound_out)
{
    rails_port = std::string(address).substr(std::string(address).rfind(':'));
    return plain_ops->listen(transport, address, events, context, listener_out, bound_out);
}

inline size_t addresses_of_rails(const hr_listener *, hr_rail_address *addresses, size_t)
{
    for (unsigned i = 0; i < rail_count; i++) {
        snprintf(addresses[i].address, sizeof addresses[i].address, "127.0.0.%u%s", i + 1,
                 rails_port.c_str());
        addresses[i].rail = i;
    }
    return rail_count;
}

inline hr_status rdma_create(hr_platform *, hr_loop *loop, hr_transport **transport_out)
{
    const hr_status status = hr_transport_verbs_create(loop, verbs, transport_out);
    if (status != HR_OK || rail_count == 1)
        return status;
    plain_ops = (*transport_out)->ops;
    rails_ops = *plain_ops;
    rails_ops.listen = listen_on_rails;
    rails_ops.addresses = addresses_of_rails;
    (*transport_out)->ops = &rails_ops;
    return status;
}

// ---- a server and a client, in one engine ----

struct World {
    bool has_peer_memory = false;
    const char *require = nullptr;
    std::vector<std::string> driver; // FAKE_CUDA_...=
    bool sealed = false;
    unsigned links = 2;
    unsigned rails = 1; // each a NIC, and a link over each
};

class Gpudirect : public testing::Test
{
  protected:
    void TearDown() override
    {
        end();
        for (const std::string &name : settings_)
            unsetenv(name.c_str());
        EXPECT_EQ(0, fake_cuda_left());
    }
    static uint64_t number_of(const void *pointer)
    {
        return (uint64_t)(uintptr_t)pointer;
    }
    void begin(const Bytes &content, const World &setup = {})
    {
        messages = 0;
        wrong = refused = Some{};
        holds = false;
        content_ = content;
        for (const std::string &setting : setup.driver) {
            const size_t at = setting.find('=');
            settings_.push_back(setting.substr(0, at));
            setenv(settings_.back().c_str(), setting.c_str() + at + 1, 1);
        }
        (void)fake_cuda_flushes();
        make_engine(setup);
        make_target();
        serve(setup);
        setup_ = setup;
    }
    void start(hr_get_options options = {})
    {
        hr_error error = {};
        hr_get_destroy(get_);
        get_ = nullptr;
        if (client_ == nullptr)
            connect();
        options.path = "data/file";
        options.target_span = span_;
        EXPECT_EQ(HR_OK, hr_get_start(client_, &options, &get_, &error)) << error.text;
    }
    hr_status wait()
    {
        while (hr_get_status(get_) == HR_AGAIN)
            hr_engine_step(engine_, HR_WAIT_FOREVER);
        return hr_get_status(get_);
    }
    // By the NIC, with the probes.
    void wait_written(uint64_t len)
    {
        while (hr_verbs_fake_count().gpu_bytes < len && hr_get_status(get_) == HR_AGAIN)
            hr_engine_step(engine_, 1000000);
    }
    // What was served as it is.
    void pack(const std::string &codec)
    {
        const std::string file = folder_ + "/file";
        const std::string command = std::string(HEADRACE_PROGRAM " pack ") + file +
                                    (codec == "none" ? "" : " " + file + ".packed") + " --codec " +
                                    codec + " >/dev/null 2>&1";
        ASSERT_EQ(0, system(command.c_str()));
        if (codec != "none") {
            ASSERT_EQ(0, rename((file + ".packed").c_str(), file.c_str()));
        }
    }
    std::string path() const
    {
        return hr_get_path(get_);
    }
    std::string why() const
    {
        return hr_get_error(get_)->text;
    }
    void expect_there(const char *way)
    {
        EXPECT_NE(std::string::npos, path().find(way)) << path();
        Bytes seen(content_.size(), 0);
        EXPECT_EQ(0, cuda_->copy_async(number_of(seen.data()), address_, seen.size(), stream_));
        EXPECT_TRUE(seen == content_);
    }
    void expect_written(uint64_t len)
    {
        EXPECT_EQ(len, hr_verbs_fake_count().gpu_bytes);
    }
    // In the order in which a program of the user's would.
    void end()
    {
        if (engine_ == nullptr)
            return;
        hr_cuda_context *context;
        hr_get_destroy(get_);
        const hr_cuda_result destroyed = cuda_->stream_destroy(stream_);
        const hr_cuda_result freed = cuda_->mem_free(address_);
        if (!is_lost_) {
            EXPECT_EQ(0, destroyed);
            EXPECT_EQ(0, freed);
        }
        hr_client_destroy(client_);
        hr_server_destroy(server_);
        hr_engine_destroy(engine_);
        hr_verbs_destroy(verbs);
        hr_helpers_destroy(helpers_);
        EXPECT_EQ(0, cuda_->context_pop(&context));
        EXPECT_EQ(0, cuda_->context_release(0));
        EXPECT_STREQ("", hr_verbs_fake_close());
        if (!key_.empty()) {
            EXPECT_EQ(0, unlink(key_.c_str()));
        }
        key_.clear();
        EXPECT_EQ(HR_OK, hr_temp_remove(folder_.c_str()));
        engine_ = nullptr;
        client_ = nullptr;
        get_ = nullptr;
        is_lost_ = false;
    }

    hr_engine *engine_ = nullptr;
    hr_client *client_ = nullptr;
    hr_get *get_ = nullptr;
    hr_cuda_stream *stream_ = nullptr;
    hr_span span_ = {};
    const hr_cuda *cuda_ = fake_cuda();
    uint64_t address_ = 0;
    bool is_lost_ = false; // the context: nothing in it can be given back
    Bytes content_;
    std::string folder_;

  private:
    // Not before the shard is packed: nobody steps the engine meanwhile, and who connects waits for
    // an answer for five seconds.
    void connect()
    {
        hr_error error = {};
        hr_client_options options = {};
        const std::string bound = hr_server_address(server_);
        const std::string address = "127.0.0.1" + bound.substr(bound.rfind(':'));
        options.address = address.c_str();
        options.require = setup_.require;
        options.links = setup_.links;
        trust(&options.trust, setup_.sealed);
        EXPECT_EQ(HR_OK, hr_client_open(engine_, &options, &client_, &error)) << error.text;
    }
    void make_engine(const World &setup)
    {
        hr_error error = {};
        hr_verbs_fake_setup fake = {};
        hr_verbs_options rdma = {};
        hr_engine_options options = {};
        hr_platform *platform = nullptr;
        fake.gpu = &GPU;
        fake.has_peer_memory = setup.has_peer_memory;
        fake.devices = rail_count = setup.rails;
        hr_verbs_fake_open(&fake);
        worker = pthread_self();
        rail_calls = *hr_verbs_fake_calls();
        rail_calls.get_addresses = asking_addresses;
        rdma.calls = &rail_calls;
        EXPECT_EQ(HR_OK, hr_helpers_create(hr_env_system(), 4, &helpers_));
        EXPECT_EQ(HR_OK, hr_verbs_create(hr_env_system(), helpers_, &rdma, &verbs, &error))
            << error.text;
        options.transport = HR_TRANSPORT_TCP; // the NICs of this machine stay out of it
        ASSERT_EQ(HR_OK, hr_platform_system_create(&options, &platform, &error)) << error.text;
        platform->rdma_create = rdma_create;
        options.transport = HR_TRANSPORT_AUTO;
        options.workers = 2;
        options.worker_pool_len = 8 * HR_SLOT_LEN;
        ASSERT_EQ(HR_OK, hr_engine_create_on(platform, &options, &engine_, &error)) << error.text;
        ASSERT_EQ(HR_OK, hr_engine_start(engine_, &error)) << error.text;
    }
    void make_target()
    {
        hr_cuda_context *context;
        EXPECT_EQ(0, cuda_->context_retain(&context, 0));
        EXPECT_EQ(0, cuda_->context_push(context));
        EXPECT_EQ(0, cuda_->mem_alloc(&address_, content_.size()));
        EXPECT_EQ(0, cuda_->stream_create(&stream_, HR_CUDA_STREAM_NONBLOCKING));
        span_ = hr_span_host((void *)(uintptr_t)address_, content_.size());
        span_.kind = HR_MEMORY_CUDA;
    }
    void trust(hr_trust *trust, bool sealed)
    {
        char path[HR_KEY_PATH_MAX];
        hr_error error = {};
        trust->insecure = !sealed;
        if (sealed && key_.empty()) {
            key_ = folder_ + "/../key." + std::to_string(number_of(this));
            EXPECT_EQ(HR_OK, hr_key_file_make(key_.c_str(), true, path, &error)) << error.text;
        }
        trust->key_path = sealed ? key_.c_str() : nullptr;
    }
    void serve(const World &setup)
    {
        char folder[HR_TEMP_PATH_MAX] = "";
        hr_error error = {};
        EXPECT_EQ(HR_OK, hr_temp_make(folder));
        folder_ = folder;
        FILE *file = fopen((folder_ + "/file").c_str(), "w");
        EXPECT_EQ(content_.size(), fwrite(content_.data(), 1, content_.size(), file));
        fclose(file);
        hr_export shown = {};
        shown.name = "data";
        shown.path = folder;
        shown.aead = setup.sealed;
        hr_server_options options = {};
        options.listen = setup.rails > 1 ? "0.0.0.0:0" : "127.0.0.1:0";
        options.exports = &shown;
        options.export_count = 1;
        trust(&options.trust, setup.sealed);
        ASSERT_EQ(HR_OK, hr_server_open(engine_, &options, &server_, &error)) << error.text;
        while (hr_server_status(server_) == HR_AGAIN)
            hr_engine_step(engine_, HR_WAIT_FOREVER);
        ASSERT_EQ(HR_OK, hr_server_status(server_)) << hr_server_error(server_)->text;
    }

    hr_helpers *helpers_ = nullptr;
    hr_server *server_ = nullptr;
    std::string key_;
    World setup_;
    std::vector<std::string> settings_;
};

#endif

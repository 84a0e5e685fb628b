// Vectors that begin on a cache line: wide loads and stores of theirs then never straddle two.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace crossphase::cpu {

template <typename T>
struct CacheLineAllocator {
    using value_type = T;

    CacheLineAllocator() = default;
    template <typename U>
    explicit CacheLineAllocator(const CacheLineAllocator<U>&) {}

    T* allocate(std::size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), kCacheLine)); }
    void deallocate(T* values, std::size_t) { ::operator delete(values, kCacheLine); }
    bool operator==(const CacheLineAllocator&) const { return true; }

  private:
    static constexpr std::align_val_t kCacheLine{64};
};

template <typename T>
using AlignedVector = std::vector<T, CacheLineAllocator<T>>;

}  // namespace crossphase::cpu

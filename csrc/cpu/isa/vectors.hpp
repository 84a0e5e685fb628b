// Vectors in and out of memory of any alignment, for the loops in this folder; in an unnamed namespace like them.
#pragma once

namespace {

template <typename Vector, typename T>
inline Vector load(const T* from) {
    Vector value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
}

template <typename Vector, typename T>
inline void store(T* to, const Vector& value) {
    __builtin_memcpy(to, &value, sizeof value);
}

}  // namespace

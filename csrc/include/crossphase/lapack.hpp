// LAPACK and BLAS without linking one: the routines come as addresses from SciPy's cython_lapack and cython_blas at run
// time.
#pragma once

#include <cstdint>

namespace crossphase::cpu {

// Builds of SciPy differ in the width of LAPACK's integers (32 or 64 bits). Every integer here is a 64-bit one that was
// set before the call and is passed by address: on a little-endian machine its low half is the 32-bit integer, so one
// call serves both. An integer that comes back lands in the low half of one that was 0, so it reads right if not
// negative; whether it is 0 shows either way.
using LapackInt = std::int64_t;

struct Lapack {
    // Eigen-decomposition of a symmetric matrix (divide and conquer), part of it (relatively robust representations),
    // Cholesky factor, inverse of a triangular matrix.
    using Syevd = void (*)(const char* jobz, const char* uplo, const LapackInt* n, double* a, const LapackInt* lda,
                           double* w, double* work, const LapackInt* lwork, LapackInt* iwork, const LapackInt* liwork,
                           LapackInt* info);
    using Syevr = void (*)(const char* jobz, const char* range, const char* uplo, const LapackInt* n, double* a,
                           const LapackInt* lda, const double* vl, const double* vu, const LapackInt* il,
                           const LapackInt* iu, const double* abstol, LapackInt* m, double* w, double* z,
                           const LapackInt* ldz, LapackInt* isuppz, double* work, const LapackInt* lwork,
                           LapackInt* iwork, const LapackInt* liwork, LapackInt* info);
    using Potrf = void (*)(const char* uplo, const LapackInt* n, double* a, const LapackInt* lda, LapackInt* info);
    using Trtri = void (*)(const char* uplo, const char* diag, const LapackInt* n, double* a, const LapackInt* lda,
                           LapackInt* info);
    // Tridiagonal form of a symmetric matrix.
    using Sytrd = void (*)(const char* uplo, const LapackInt* n, double* a, const LapackInt* lda, double* d, double* e,
                           double* tau, double* work, const LapackInt* lwork, LapackInt* info);
    // Products: general, with a symmetric factor, V V^T and V W^T + W V^T into one triangle.
    using Gemm = void (*)(const char* transa, const char* transb, const LapackInt* m, const LapackInt* n,
                          const LapackInt* k, const double* alpha, const double* a, const LapackInt* lda,
                          const double* b, const LapackInt* ldb, const double* beta, double* c, const LapackInt* ldc);
    using Symm = void (*)(const char* side, const char* uplo, const LapackInt* m, const LapackInt* n,
                          const double* alpha, const double* a, const LapackInt* lda, const double* b,
                          const LapackInt* ldb, const double* beta, double* c, const LapackInt* ldc);
    using Syrk = void (*)(const char* uplo, const char* trans, const LapackInt* n, const LapackInt* k,
                          const double* alpha, const double* a, const LapackInt* lda, const double* beta, double* c,
                          const LapackInt* ldc);
    using Syr2k = void (*)(const char* uplo, const char* trans, const LapackInt* n, const LapackInt* k,
                           const double* alpha, const double* a, const LapackInt* lda, const double* b,
                           const LapackInt* ldb, const double* beta, double* c, const LapackInt* ldc);
    // Triangular solve of many right-hand sides.
    using Trsm = void (*)(const char* side, const char* uplo, const char* transa, const char* diag, const LapackInt* m,
                          const LapackInt* n, const double* alpha, const double* a, const LapackInt* lda, double* b,
                          const LapackInt* ldb);
    Syevd dsyevd = nullptr;
    Syevr dsyevr = nullptr;
    Potrf dpotrf = nullptr;
    Trtri dtrtri = nullptr;
    Sytrd dsytrd = nullptr;
    Gemm dgemm = nullptr;
    Symm dsymm = nullptr;
    Syrk dsyrk = nullptr;
    Syr2k dsyr2k = nullptr;
    Trsm dtrsm = nullptr;
};

// Set once before the first kernel that needs LAPACK; the kernels throw std::logic_error without it.
void set_lapack(const Lapack& routines);
const Lapack& lapack();

}  // namespace crossphase::cpu

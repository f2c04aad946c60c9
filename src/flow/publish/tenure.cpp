// SPDX-License-Identifier: MIT
#include "flow/publish/tenure.h"

#include <algorithm>

namespace postcensus::flow {

Result<bool> Tenure::take(const std::filesystem::path& lock, const std::string& content) {
    if (holds(lock)) {
        locks_.at(lock).rewrite(content);
        return true;
    }
    auto taken = LockFile::try_lock(lock, content);
    if (!taken) return fail(taken.error());
    if (!*taken) return false;
    locks_.insert_or_assign(lock, *std::move(*taken));
    return true;
}

bool Tenure::holds(const std::filesystem::path& lock) const {
    const auto held = locks_.find(lock);
    return held != locks_.end() && held->second.is_at(lock);
}

void Tenure::keep_only(const std::vector<std::filesystem::path>& locks) {
    std::erase_if(locks_, [&](const auto& held) {
        return std::find(locks.begin(), locks.end(), held.first) == locks.end();
    });
}

}  // namespace postcensus::flow

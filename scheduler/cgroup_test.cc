// Over trees of files that look like a machine's /proc and /sys.

#include "home/scheduler/cgroup.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "gtest/gtest.h"

namespace home::scheduler_internal {
namespace {

class CgroupTest : public ::testing::Test {
 protected:
  CgroupTest()
      : root_(::testing::TempDir() + "/" +
              ::testing::UnitTest::GetInstance()->current_test_info()->name()) {}
  ~CgroupTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root_ + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  void Groups(const std::string& lines) { Write("/proc/self/cgroup", lines); }
  void Mounts(const std::string& lines) {
    Write("/proc/self/mountinfo", "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n" + lines +
                                      "23 22 0:21 / /proc rw,nosuid - proc proc rw\n");
  }
  [[nodiscard]] std::optional<double> Limit() const { return CgroupCpuLimit(root_); }

  static constexpr char kV2[] =
      "30 22 0:26 / /sys/fs/cgroup rw,nosuid,nodev shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
  static constexpr char kV1[] =
      "31 22 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:10 - cgroup cgroup rw,cpu,cpuacct\n"
      "32 22 0:28 / /sys/fs/cgroup/memory rw shared:11 - cgroup cgroup rw,memory\n";

 private:
  const std::string root_;
};

TEST_F(CgroupTest, WithoutFilesThereIsNoLimit) { EXPECT_EQ(Limit(), std::nullopt); }

TEST_F(CgroupTest, V2) {
  Mounts(kV2);
  Groups("0::/app\n");
  EXPECT_EQ(Limit(), std::nullopt);
  Write("/sys/fs/cgroup/app/cpu.max", "max 100000\n");
  EXPECT_EQ(Limit(), std::nullopt);
  Write("/sys/fs/cgroup/app/cpu.max", "150000 100000\n");
  EXPECT_EQ(Limit(), 1.5);
  Write("/sys/fs/cgroup/app/cpu.max", "20000 200000\n");
  EXPECT_EQ(Limit(), 0.1);
}

TEST_F(CgroupTest, V2TheLeastOfAllLevelsCounts) {
  Mounts(kV2);
  Groups("0::/a/b/c\n");
  Write("/sys/fs/cgroup/a/b/c/cpu.max", "400000 100000\n");
  Write("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(Limit(), 4);
  Write("/sys/fs/cgroup/a/cpu.max", "250000 100000\n");
  EXPECT_EQ(Limit(), 2.5);
  // In a container the mount point may be a limited group itself.
  Write("/sys/fs/cgroup/cpu.max", "100000 100000\n");
  EXPECT_EQ(Limit(), 1);
  // Not ours.
  Write("/sys/fs/cgroup/a/b/c/d/cpu.max", "1000 100000\n");
  Write("/sys/fs/cgroup/x/cpu.max", "1000 100000\n");
  EXPECT_EQ(Limit(), 1);
}

TEST_F(CgroupTest, V2InsideANamespace) {
  Mounts(kV2);
  Groups("0::/\n");
  Write("/sys/fs/cgroup/cpu.max", "300000 100000\n");
  EXPECT_EQ(Limit(), 3);
  // The group is outside of the namespace's root.
  Groups("0::/../../other\n");
  EXPECT_EQ(Limit(), 3);
}

TEST_F(CgroupTest, V1) {
  Mounts(kV1);
  Groups("5:memory:/elsewhere\n4:cpu,cpuacct:/app\n");
  EXPECT_EQ(Limit(), std::nullopt);
  Write("/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us", "50000\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(Limit(), std::nullopt);
  Write("/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us", "125000\n");
  EXPECT_EQ(Limit(), 2.5);
  Write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "200000\n");
  EXPECT_EQ(Limit(), 2);
}

TEST_F(CgroupTest, V1MountedAtTheContainersGroup) {
  Mounts("31 22 0:27 /docker/3f /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n");
  Write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  Write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "700000\n");
  Write("/sys/fs/cgroup/cpu/sub/cpu.cfs_period_us", "100000\n");
  Write("/sys/fs/cgroup/cpu/sub/cpu.cfs_quota_us", "600000\n");
  for (const char* outside : {"2:cpu:/docker/3f\n", "2:cpu:/\n", "2:cpu:/docker/3f7\n"}) {
    Groups(outside);
    EXPECT_EQ(Limit(), 7) << outside;
  }
  Groups("2:cpu:/docker/3f/sub\n");
  EXPECT_EQ(Limit(), 6);
}

TEST_F(CgroupTest, BothVersionsAtOnce) {
  Mounts(std::string(kV1) + "33 22 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  Groups("4:cpu,cpuacct:/app\n0::/app\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us", "100000\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us", "400000\n");
  EXPECT_EQ(Limit(), 4);
  Write("/sys/fs/cgroup/unified/app/cpu.max", "300000 100000\n");
  EXPECT_EQ(Limit(), 3);
}

TEST_F(CgroupTest, NamesWithBlanksAndColons) {
  Mounts("30 22 0:26 / /my\\040groups rw - cgroup2 none rw\n");
  Groups("0::/a b:c\n");
  Write("/my groups/a b:c/cpu.max", "100000 50000\n");
  EXPECT_EQ(Limit(), 2);
}

TEST_F(CgroupTest, NonsenseLimitsNothing) {
  Mounts("30 22 0:26 / /short\n-\n\n" + std::string(kV2));
  Groups("nonsense\n::\n0::/app\n");
  for (const char* text : {"", "\n", "max\n", "1 2 3\n", "x y\n", "100000 0\n", "0 100000\n",
                           "-5 100000\n", "nan 100000\n"}) {
    Write("/sys/fs/cgroup/app/cpu.max", text);
    EXPECT_EQ(Limit(), std::nullopt) << text;
  }
}

TEST(CgroupOfThisProcessTest, CanBeRead) {
  const std::optional<double> limit = CgroupCpuLimit();
  EXPECT_TRUE(!limit || *limit > 0);
}

}  // namespace
}  // namespace home::scheduler_internal

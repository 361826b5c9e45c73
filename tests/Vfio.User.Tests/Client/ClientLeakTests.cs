using Vfio.User.Tests.Peers;
using Vfio.User.Tests.Robustness;

namespace Vfio.User.Tests.Client;

[Collection(ProcessWide.Name)]
public class ClientLeakTests
{
    [Fact]
    public async Task Devices_that_come_and_go_and_servers_that_break_leave_no_descriptor_and_no_thread()
    {
        await using var server = await MigratingServer.StartAsync();
        await RepeatAsync(server, 20);
        var (descriptors, threads) = (TestFiles.OpenDescriptors(), ClientThreads());
        await RepeatAsync(server, 1000);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.True(
            TestFiles.OpenDescriptors() <= descriptors,
            $"{TestFiles.OpenDescriptors()} are open, {descriptors} were: {string.Join(' ', TestFiles.DescriptorTargets())}");
        Assert.Equal(threads, ClientThreads());
    }

    // By their names, of which the kernel keeps fifteen characters.
    private static int ClientThreads() => Directory.GetDirectories("/proc/self/task").Select(Name)
        .Count(name => name.StartsWith("vfio-user:main", StringComparison.Ordinal)
            || name.StartsWith("vfio-user:twin", StringComparison.Ordinal) || name.StartsWith("vfio-user:dma", StringComparison.Ordinal));

    private static string Name(string task)
    {
        try
        {
            return File.ReadAllText($"{task}/comm");
        }
        catch (IOException)
        {
            // It has ended since it was listed.
            return "";
        }
    }

    private static async Task RepeatAsync(MigratingServer server, int times)
    {
        server.Migration.Last = DeviceMigrationTests.Pattern(200, 3);
        using var descriptor = TestFiles.EventFd();
        for (var i = 0; i < times; i++)
        {
            var dma = new DmaSpace();
            Assert.True(dma.Map(FileMemory.Create(0, 0x1000)).IsSuccess);
            var device = await DeviceTests.OpenAsync(server.Inner, dma);
            Assert.True(device.GetIoEventFds(2).IsSuccess);
            server.Migration.State = MigrationState.Running;
            var stream = (await device.MigrationOps!.SetStateAsync(MigrationState.StopCopy, TestContext.Current.CancellationToken)).Value!;
            Assert.Equal(100, (await stream.ReadAsync(new byte[100], TestContext.Current.CancellationToken)).Value);
            await device.CloseAsync(ResetCause.Close);
            dma.UnmapAll();

            await using var broken = await ScriptedServer.ConnectAsync();
            var asked = broken.Ask();
            var request = broken.Receive();
            broken.Socket.Send(RawMessage.Build(9, 11, Fields.Of(0ul, 4ul)), descriptor);
            broken.Reply(request, new byte[16], descriptor, descriptor);
            Assert.Equal(Errno.ECONNRESET, (await asked).Error);
        }
    }
}

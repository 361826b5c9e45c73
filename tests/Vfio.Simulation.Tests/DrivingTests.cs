using Vfio.Native;
using Vfio.Simulation.Nvme;
using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Pci;
using Vfio.Simulation.Tests.Guest;

namespace Vfio.Simulation.Tests;

public class DrivingTests
{
    [Fact]
    public async Task In_event_mode_every_doorbell_is_seen()
    {
        await using var fixture = await Fixture.CreateAsync();
        Assert.Null(fixture.Vf(0).Bar(0)!.Mapping);
    }

    [Fact]
    public async Task In_poll_mode_doorbells_are_memory_that_a_client_maps()
    {
        await using var fixture = await Fixture.CreateAsync(options: new() { PollCpu = 0 });
        var mapping = fixture.Vf(0).Bar(0)!.Mapping!;
        Assert.Equal([new RegionArea(0x1000, 0x1000)], mapping.Areas);
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var queue = guest.CreateQueue(1);
        using var page = MappedPage.Map(mapping);
        queue.Doorbell = page.Write;
        guest.Admin.Doorbell = page.Write;
        for (var i = 0; i < 200; i++)
            Assert.Equal(NvmeStatus.Success, queue.Run(guest.Command(IoOpcode.Flush, 1)).Status);
        Assert.Equal(NvmeStatus.Success, guest.Run(guest.Command(AdminOpcode.GetFeatures, cdw10: 6)).Status);
        Assert.Equal((uint)queue.Tail, guest.Bar.Read(BarLayout.Doorbells + 8, 4));
    }

    [Fact]
    public async Task A_CPU_that_there_is_not_cannot_be_polled_on()
    {
        await using var topology = new SimulatedTopology(TopologyDefinition.Default, new() { PollCpu = 1000 });
        var failure = await Assert.ThrowsAsync<VfioException>(async () => await topology.DiscoverAsync(TestContext.Current.CancellationToken));
        Assert.Contains("CPU 1000", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_controller_that_waits_for_its_client_holds_up_no_other_and_a_reset_ends_the_wait()
    {
        await using var fixture = await Fixture.CreateAsync();
        var memory = new GuestMemory(direct: false);
        var messages = memory.Messages!;
        memory.Space.Cancelled = messages.Cancel;
        using var stalled = new GuestNvme(fixture.Vf(0), memory).Enable();
        using var other = new GuestNvme(fixture.Vf(1)).Enable();
        var queue = stalled.CreateQueue(1);
        var read = stalled.Command(IoOpcode.Read, 1) with { Prp1 = memory.Allocate(4096) };
        messages.BlockedAt = read.Prp1;
        messages.Block();
        queue.Submit(read);
        queue.Submit(stalled.Command(IoOpcode.Flush, 1));
        messages.WaitForBlockedTransfer();
        var busy = other.CreateQueue(1);
        for (var i = 0; i < 100; i++)
            Assert.Equal(NvmeStatus.Success, busy.Run(other.Command(IoOpcode.Flush, 2)).Status);
        Assert.Null(queue.TryReap());
        var reset = fixture.Vf(0).ResetAsync(FunctionResetMethod.Flr, TestContext.Current.CancellationToken);
        Assert.True((await reset).IsSuccess);
        Assert.Null(queue.TryReap());
        fixture.Vf(0).WriteConfig(4, 2, 4);
        stalled.Enable();
        Assert.Equal(NvmeStatus.Success, stalled.Run(stalled.Command(AdminOpcode.GetFeatures, cdw10: 6)).Status);
    }

    [Fact]
    public async Task Disposing_ends_a_controller_that_waits_for_its_client()
    {
        var memory = new GuestMemory(direct: false);
        var messages = memory.Messages!;
        memory.Space.Cancelled = messages.Cancel;
        var fixture = await Fixture.CreateAsync();
        var stalled = new GuestNvme(fixture.Vf(0), memory).Enable();
        messages.BlockedAt = memory.Allocate(4096);
        messages.Block();
        stalled.Admin.Submit(stalled.Command(AdminOpcode.Identify, cdw10: 1) with { Prp1 = messages.BlockedAt });
        messages.WaitForBlockedTransfer();
        await fixture.DisposeAsync();
        stalled.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Steady_IO_allocates_nothing(bool direct)
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0), new(direct)).Enable();
        var queue = guest.CreateQueue(1);
        var data = guest.Memory.Allocate(64 * 1024);
        var read = guest.Command(IoOpcode.Read, 1, cdw12: 127);
        var write = guest.Command(IoOpcode.Write, 1, cdw12: 127);
        guest.Memory.Describe(ref read, data, 64 * 1024);
        guest.Memory.Describe(ref write, data, 64 * 1024);
        // The first rounds let the code be compiled to what it stays. Asking costs the device's thread a few bytes itself.
        const int Asking = 256;
        await Run(1000);
        var before = await Allocated(fixture.Vf(0));
        await Run(1000);
        Assert.InRange(await Allocated(fixture.Vf(0)) - before, 0, Asking);
        before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
            queue.Ring();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        ValueTask Run(int count)
        {
            for (var i = 0; i < count; i++)
            {
                Assert.Equal(NvmeStatus.Success, queue.Run(read).Status);
                Assert.Equal(NvmeStatus.Success, queue.Run(write).Status);
            }

            return default;
        }

        static async Task<long> Allocated(IPciFunction function)
        {
            long bytes = 0;
            await ((NvmeController)((SimulatedFunction)function).Device).PostAsync(() => bytes = GC.GetAllocatedBytesForCurrentThread());
            return bytes;
        }
    }

    private sealed unsafe class MappedPage : IDisposable
    {
        private readonly void* _address;

        private MappedPage(void* address) => _address = address;

        public static MappedPage Map(RegionMapping mapping)
        {
            var address = Libc.mmap(null, 0x1000, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, mapping.File,
                mapping.FileOffset + (long)mapping.Areas[0].Offset);
            Assert.True(address != Libc.MAP_FAILED);
            return new(address);
        }

        public void Write(int doorbell, uint value) => Mmio.Write32((uint*)_address + doorbell, value);

        public void Dispose() => Assert.Equal(0, Libc.munmap(_address, 0x1000));
    }
}

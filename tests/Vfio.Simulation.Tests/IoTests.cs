using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Tests.Guest;

namespace Vfio.Simulation.Tests;

public class IoTests
{
    [Fact]
    public async Task What_is_written_is_read_back()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var queue = guest.CreateQueue(1);
        var data = guest.Memory.Allocate(8192);
        new Random(1).NextBytes(guest.Memory.Span(data, 8192));
        var write = guest.Command(IoOpcode.Write, 1, cdw10: 100, cdw12: 15);
        guest.Memory.Describe(ref write, data, 8192);
        Assert.Equal(NvmeStatus.Success, queue.Run(write).Status);
        var back = guest.Memory.Allocate(8192);
        var read = guest.Command(IoOpcode.Read, 1, cdw10: 100, cdw12: 15);
        guest.Memory.Describe(ref read, back, 8192);
        Assert.Equal(NvmeStatus.Success, queue.Run(read).Status);
        Assert.True(guest.Memory.Span(data, 8192).SequenceEqual(guest.Memory.Span(back, 8192)));
    }
}

using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Pci;
using Vfio.Simulation.Tests.Guest;

namespace Vfio.Simulation.Tests;

/// <summary>A guest that writes whatever comes to its mind: nothing of it is the device's fault, so no step may throw.</summary>
public class HostileGuestTests
{
    private static readonly ulong[] Places =
    [
        GuestMemory.Start, GuestMemory.Start + 0x8000, GuestMemory.Start + 0x10_0000, GuestMemory.Start + 0x1FF_F000, GuestMemory.Start + 0x200_0000,
        0, 0x1000, 0xDEAD_0000, 0xFFFF_FFFF_FFFF_F000, 0x8000_0000_0000_0000,
    ];

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0, 2)]
    [InlineData(1, 3)]
    [InlineData(1, 4)]
    [InlineData(1, 5)]
    public void No_step_throws_or_posts_more_than_there_is_room_for(int function, int seed)
    {
        using var crank = new HandCrank(function);
        var random = new Random(seed);
        using var guest = new GuestNvme(crank.Function, new(direct: seed % 2 == 0));
        for (var round = 0; round < 40; round++)
        {
            crank.TurnsWhenWoken = true;
            guest.SetUp();
            guest.Enable(entries: random.Next(2, 40));
            GuestQueue[] queues = [guest.Admin, guest.CreateQueue(1, random.Next(2, 40)), guest.CreateQueue(2, random.Next(2, 40))];
            crank.TurnsWhenWoken = false;
            for (var i = 0; i < 400 && (guest.Csts & Register.CstsReady) != 0; i++)
            {
                Act(guest, queues[random.Next(queues.Length)], random);
                if (random.Next(3) == 0)
                    continue;
                crank.Poll();
                if (random.Next(50) == 0)
                    crank.Controller.Arm();
                for (var id = 0; id <= 4; id++)
                    Assert.True(crank.Controller.Queues.Completion(id) is not { Room: < 0 });
            }

            // Shadow doorbells and queues may lie anywhere; this guest has no memory left to lose.
            guest.Memory.Span(GuestMemory.Start, 0x1000).Clear();
        }
    }

    private static void Act(GuestNvme guest, GuestQueue queue, Random random)
    {
        switch (random.Next(1000))
        {
            case < 4:
                guest.Bar.Write((ulong)random.Next(0x10) * 4, 4, (ulong)random.NextInt64());
                break;
            case < 8:
                guest.Bar.Write((ulong)random.Next(0x800) * 8, 8, (ulong)random.NextInt64());
                break;
            case < 12:
                guest.Function.WriteConfig(ConfigOffset.Command, 2, random.Next(2) == 0 ? 2u : 6u);
                break;
            case < 60:
                guest.Bar.Write((ulong)(BarLayout.Doorbells + (random.Next(10) * 4)), 4, (uint)random.Next(random.Next(8) == 0 ? int.MaxValue : 32));
                break;
            case < 300:
                while (queue.TryReap() is not null)
                    continue;
                break;
            default:
                var entry = Entry(random, admin: queue == guest.Admin);
                for (var i = random.Next(4); i >= 0; i--)
                    queue.Push(entry);
                queue.Ring();
                break;
        }
    }

    private static SubmissionEntry Entry(Random random, bool admin)
    {
        var opcodes = admin ? Enum.GetValues<AdminOpcode>().Select(o => (byte)o).ToArray() : [.. Enum.GetValues<IoOpcode>().Select(o => (byte)o)];
        return new()
        {
            Opcode = random.Next(20) == 0 ? (byte)random.Next() : opcodes[random.Next(opcodes.Length)],
            CommandId = (ushort)random.Next(),
            NamespaceId = random.Next(4) == 0 ? (uint)random.NextInt64() : (uint)random.Next(3),
            Prp1 = Place(random),
            Prp2 = Place(random),
            Cdw10 = Word(random),
            Cdw11 = Word(random),
            Cdw12 = Word(random),
        };
    }

    private static uint Word(Random random) => random.Next(6) switch
    {
        0 => 0,
        1 => (uint)random.Next(8),
        2 => (uint)(random.Next(8) | (random.Next(64) << 16)),
        3 => (uint)random.Next(0x200),
        4 => uint.MaxValue,
        _ => (uint)random.NextInt64(),
    };

    private static ulong Place(Random random) => random.Next(10) switch
    {
        0 => (ulong)random.NextInt64(),
        1 => Places[random.Next(Places.Length)] + (ulong)(random.Next(1024) * 4),
        < 6 => GuestMemory.Start + ((ulong)random.Next(0x400) << 12),
        _ => Places[random.Next(Places.Length)],
    };
}

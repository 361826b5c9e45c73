using System.Reflection;

namespace Vfio.Core.Tests;

/// <summary>
/// Each trap of the reference (linux-vfio.md, section 11) that has a meaning in user space is named by a test that proves it.
/// </summary>
public sealed class Traps
{
    private static readonly (int Number, string Title)[] All =
    [
        (1, "Writes to read-only registers are dropped and succeed; unassigned and vendor-specific bytes are raw"),
        (2, "Hidden capabilities are unlinked and their bytes stay raw; the first extended one only loses its id"),
        (3, "Abutting capabilities of one id"),
        (4, "BARs are sized on read, with the host's size and flags; the ROM keeps its enable bit; a VF's registers are 0"),
        (5, "COMMAND is split between hardware and virtual bits; a VF's memory is never gated"),
        (6, "Clearing memory enable stops established access too"),
        (7, "FLR bits clear themselves, and a reset that fails is invisible"),
        (8, "MSI enable follows SET_IRQS, the queue size is clamped and written through"),
        (9, "VPD completes by toggling F, and fails by not toggling it"),
        (10, "An access over the end of configuration space is EFAULT as a whole"),
        (11, "What a reset leaves: virtual registers, interrupts, ioeventfds; hardware configuration comes back"),
        (12, "A function whose INTx does not work shows no pin and no interrupt"),
        (13, "The MSI-X table reads as ones and drops writes; the pending bits are normal"),
        (14, "One aligned device access of the asked width; ROM no wider than 4"),
        (15, "EIO discards progress, the end of a BAR truncates, a ROM reads ones behind its image"),
        (16, "The ROM region has the BAR's size where an image is found, and memory decoding flips while it is looked for"),
        (17, "A region is named by its index, not by an offset"),
        (18, "An absent BAR is success and size 0; absent VGA and an index out of range are EINVAL"),
        (19, "ioeventfds: no 64 bits, any alignment, dropped while memory is off"),
        (20, "A BAR below a page"),
        (21, "Disabling an inactive index, or any call on an index without interrupts, is EINVAL"),
        (22, "SET_IRQS may answer a positive number"),
        (23, "ACTION missing or twice is ENOTTY, DATA missing or twice EINVAL, INTx masked by eventfd ENOTTY"),
        (24, "One index is active at a time"),
        (25, "A block that fails takes down what stood before"),
        (26, "Enabling with -1 is legal for all three"),
        (27, "INTx masks itself, and unmasked while still asserted fires again"),
        (28, "The unmask eventfd is consumed, single, and fires if it was signalled before"),
        (29, "Interrupt Disable holds INTx and its loopback back"),
        (30, "NORESIZE is absent for dynamic MSI-X alone"),
        (31, "A busy reset is EAGAIN or EBUSY, and nobody waits with locks held"),
        (32, "A reset during a transfer is deferred and not lost"),
        (33, "Close resets the function, and ends what a variant still does"),
        (34, "Hot reset: all functions, and all owned"),
        (35, "D3hot and low power gate BARs; D3hot to D0 restores what was lost"),
        (36, "States that the device lacks are passed over by following the table again"),
        (37, "To be where one is succeeds without a stream, ERROR is left by a reset alone, and cannot be asked for"),
        (38, "A request that fails leaves a state on the way; who cannot take the stream has reached the state"),
        (39, "PRE_COPY_P2P to STOP_COPY goes on with the same stream; ENOMSG, 0 and ENODEV are three ends"),
        (40, "Data is judged inside write() or by the arc to STOP, and writes are split anywhere"),
        (41, "Sizes in a stream are not trusted, and an optional record that is skipped is consumed"),
        (42, "RUNNING_P2P and STOP keep the guest's accesses working"),
        (43, "New initial bytes are told only to those who asked"),
        (44, "The data size answers in every state, without side effects"),
        (45, "DMA logging: what the kernel leaves unchecked, bits only ever set, any page size, errors poison"),
        (46, "DMA logging is independent of the migration state, and close stops it"),
        (47, "The stream holds nothing but the device's state"),
        (48, "Open resets; EAGAIN is fatal, any other failure only clears RESET"),
        (50, "VF tokens"),
        (51, "An absent feature is ENOTTY, not EINVAL"),
        (52, "The driver with the fewest wildcards"),
        (54, "A function that is virtualized below is not virtualized again"),
    ];

    public static TheoryData<int> Numbers => [.. All.Select(trap => trap.Number)];

    [Theory]
    [MemberData(nameof(Numbers))]
    public void A_trap_has_a_test(int number)
    {
        var title = Array.Find(All, trap => trap.Number == number).Title;
        var tests = typeof(Traps).Assembly.GetTypes()
            .SelectMany(type => type.GetMethods())
            .Where(method => method.GetCustomAttributes<TraitAttribute>().Any(trait => trait.Name == "Trap" && trait.Value == $"{number}"));
        Assert.True(tests.Any(method => method.IsDefined(typeof(FactAttribute), inherit: true)), $"no test of trap {number}: {title}");
    }

    [Fact]
    public void Every_trait_names_a_trap_of_the_reference()
    {
        const int Last = 55;
        var traits = typeof(Traps).Assembly.GetTypes().SelectMany(type => type.GetMethods())
            .SelectMany(method => method.GetCustomAttributes<TraitAttribute>()).Where(trait => trait.Name == "Trap").ToArray();
        Assert.NotEmpty(traits);
        Assert.All(traits, trait => Assert.InRange(int.Parse(trait.Value, System.Globalization.CultureInfo.InvariantCulture), 1, Last));
    }
}

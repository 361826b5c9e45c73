using Microsoft.Extensions.Logging.Abstractions;
using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Matching;

public sealed class DriverTableTests
{
    private static readonly PciId Function = new(0x1B36, 0x0010, 0x1AF4, 0x1100, 0x010802, 2);

    [Fact]
    [Trait("Trap", "52")]
    public void The_fewest_wildcards_win_and_the_generic_driver_comes_last()
    {
        var table = new DriverTable();
        table.Register(new GenericDriver(), "built in");
        table.Register(new Named("by class", new PciIdMatch { ClassCode = 0x010802, ClassMask = 0xFFFFFF }), "a");
        table.Register(new Named("by device", new PciIdMatch { Vendor = 0x1B36, Device = 0x0010 }), "b");
        table.Register(new Named("by subsystem", new PciIdMatch { Vendor = 0x1B36, Device = 0x0010, SubsystemVendor = 0x1AF4 }), "c");
        table.Register(new Named("other", new PciIdMatch { Vendor = 0x8086 }), "d");

        var candidates = table.Candidates(Function, null);
        Assert.Equal(["by class", "by subsystem", "by device", "vfio-pci", "other"], candidates.Select(c => c.Driver.Name));
        Assert.Equal([4, 4, 5, 7, 8], candidates.Select(c => c.Wildcards));
        Assert.Equal([true, true, true, true, false], candidates.Select(c => c.IsEligible));
        Assert.Contains("4 wildcards, the fewest", candidates[0].Reason, StringComparison.Ordinal);
        Assert.Contains("which was registered first", candidates[1].Reason, StringComparison.Ordinal);
        Assert.Contains("'by class' has 4", candidates[2].Reason, StringComparison.Ordinal);
        Assert.Contains("comes last", candidates[3].Reason, StringComparison.Ordinal);
        Assert.Contains("none of its 1 id entries matches 1b36:0010", candidates[4].Reason, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Trap", "52")]
    public void The_generic_driver_loses_even_to_a_variant_with_as_many_wildcards()
    {
        var table = new DriverTable();
        table.Register(new GenericDriver(), "built in");
        table.Register(new Named("anything", PciIdMatch.Any), "a");

        Assert.Equal(["anything", "vfio-pci"], table.Candidates(Function, null).Select(c => c.Driver.Name));
    }

    [Fact]
    [Trait("Trap", "52")]
    public void A_driver_asked_for_by_name_wins_even_where_its_table_lists_nothing_that_fits()
    {
        var table = new DriverTable();
        table.Register(new Named("by device", new PciIdMatch { Vendor = 0x1B36, Device = 0x0010 }), "a");
        table.Register(new Named("other", new PciIdMatch { Vendor = 0x8086 }), "b");

        var candidates = table.Candidates(Function, "other");
        Assert.Equal(["other", "by device"], candidates.Select(c => c.Driver.Name));
        Assert.Equal([true, false], candidates.Select(c => c.IsEligible));
        Assert.Contains("its id table does not list", candidates[0].Reason, StringComparison.Ordinal);
        Assert.Equal("'other' was asked for by name", candidates[1].Reason);
    }

    [Fact]
    public void Asking_for_a_driver_that_is_not_there_leaves_nobody()
    {
        var table = new DriverTable();
        table.Register(new GenericDriver(), "built in");

        var lost = Assert.Single(table.Candidates(Function, "missing"));
        Assert.False(lost.IsEligible);
        Assert.Contains("no such driver is registered", lost.Reason, StringComparison.Ordinal);
        Assert.Empty(new DriverTable().Candidates(Function, null));
    }

    [Fact]
    [Trait("Trap", "52")]
    public void The_best_entry_of_a_driver_counts()
    {
        var table = new DriverTable();
        table.Register(new Named("a", new PciIdMatch { Vendor = 0x1B36 }, new PciIdMatch { Vendor = 0x1B36, Device = 0x0010 }), "a");

        Assert.Equal(5, Assert.Single(table.Candidates(Function, null)).Wildcards);
    }

    [Fact]
    public void A_name_is_registered_once()
    {
        var table = new DriverTable();
        table.Register(new GenericDriver(), "built in");

        var refused = Assert.Throws<VfioException>(() => table.Register(new GenericDriver(), "plugin"));
        Assert.Equal(Errno.EEXIST, refused.Error);
    }

    [Fact]
    [Trait("Trap", "52")]
    public async Task The_generic_driver_refuses_what_is_on_its_denylist_and_a_variant_is_asked_all_the_same()
    {
        var denied = new PciIdMatch { Vendor = 0x1234, Device = 0x11E8 };
        var generic = new GenericDriver([denied]);
        var context = new ProbeContext
        {
            Core = new VfioPciCore(new ScriptedFunction(new Hardware().Bytes)),
            Controllers = null!,
            Logger = NullLogger.Instance,
        };

        var refused = await generic.ProbeAsync(context, TestContext.Current.CancellationToken);
        Assert.Equal(ProbeOutcome.Refused, refused.Outcome);
        Assert.Contains("1234:11e8 is on the denylist", refused.Reason, StringComparison.Ordinal);
        Assert.Equal(ProbeOutcome.Bound, (await new GenericDriver().ProbeAsync(context, TestContext.Current.CancellationToken)).Outcome);
    }

    [Fact]
    public async Task The_generic_driver_binds_a_plain_device_to_anything()
    {
        var core = new VfioPciCore(new Scripted.ScriptedFunction(new Scripted.Hardware().Bytes));
        var probe = await new GenericDriver().ProbeAsync(
            new() { Core = core, Controllers = null!, Logger = Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance },
            TestContext.Current.CancellationToken);
        Assert.Equal(ProbeOutcome.Bound, probe.Outcome);
        Assert.IsType<VfioPciDevice>(probe.Device);
    }

    private sealed class Named(string name, params PciIdMatch[] ids) : VariantDriver
    {
        public override string Name => name;

        public override IReadOnlyList<PciIdMatch> Ids => ids;

        public override ValueTask<ProbeResult> ProbeAsync(ProbeContext context, CancellationToken cancellationToken)
            => ValueTask.FromResult(ProbeResult.Refused("a test"));
    }
}

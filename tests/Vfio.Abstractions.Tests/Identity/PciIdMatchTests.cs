using FsCheck;
using FsCheck.Fluent;

namespace Vfio.Tests.Identity;

public sealed class PciIdMatchTests
{
    private static readonly PciId Function = new(0x1B36, 0x0010, 0x1AF4, 0x1100, 0x010802, 2);

    [Theory]
    [InlineData("vfio_pci:v00001B36d00000010sv*sd*bc*sc*i*", 5, true)]
    [InlineData("vfio_pci:v*d*sv*sd*bc01sc08i02", 4, true)]
    [InlineData("vfio_pci:v*d*sv*sd*bc01sc08i*", 5, true)]
    [InlineData("vfio_pci:v*d*sv*sd*bc*sc*i*", 7, true)]
    [InlineData("pci:v00001B36d00000010sv00001AF4sd00001100bc01sc08i02", 0, true)]
    [InlineData("vfio_pci:v00001B36d00000011sv*sd*bc*sc*i*", 5, false)]
    [InlineData("vfio_pci:v*d*sv*sd00001101bc*sc*i*", 6, false)]
    [InlineData("vfio_pci:v*d*sv*sd*bc02sc*i*", 6, false)]
    public void An_alias_is_read_counted_matched_and_written_back(string alias, int wildcards, bool matches)
    {
        Assert.True(PciIdMatch.TryParse(alias, out var match));
        Assert.Equal(wildcards, match.Wildcards);
        Assert.Equal(matches, match.Matches(Function));
        Assert.Equal(alias, match.ToString());
        Assert.Equal(alias.StartsWith("vfio_pci:", StringComparison.Ordinal), match.OverrideOnly);
    }

    [Fact]
    public void Printing_and_parsing_are_inverse()
    {
        var some = Gen.Choose(0, 0xFFFF).Select(v => (ushort?)v).OrNull16();
        var match = from vendor in some
                    from device in some
                    from subVendor in some
                    from subDevice in some
                    from mask in Gen.Elements(0u, 0xFF0000u, 0xFFFF00u, 0xFFFFFFu)
                    from code in Gen.Choose(0, 0xFFFFFF)
                    from overrideOnly in ArbMap.Default.GeneratorFor<bool>()
                    select new PciIdMatch
                    {
                        Vendor = vendor, Device = device, SubsystemVendor = subVendor, SubsystemDevice = subDevice,
                        ClassMask = mask, ClassCode = (uint)code & mask, OverrideOnly = overrideOnly,
                    };
        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(300), Prop.ForAll(match.ToArbitrary(), m =>
        {
            Assert.True(PciIdMatch.TryParse(m.ToString(), out var parsed));
            Assert.Equal(m, parsed);
            Assert.Equal(m.ToString().Count(c => c == '*'), m.Wildcards);
        }));
    }

    [Theory]
    [InlineData("")]
    [InlineData("pci:")]
    [InlineData("usb:v00001B36d00000010sv*sd*bc*sc*i*")]
    [InlineData("vfio_pci:v00001B36d00000010sv*sd*bc*sc*")]
    [InlineData("vfio_pci:v00001B36d00000010sv*sd*bc*sc*i*x")]
    [InlineData("vfio_pci:v00011B36d00000010sv*sd*bc*sc*i*")]
    [InlineData("vfio_pci:vd00000010sv*sd*bc*sc*i*")]
    public void Anything_else_is_no_alias(string alias) => Assert.False(PciIdMatch.TryParse(alias, out _));

    [Fact]
    public void The_entry_for_anything_has_seven_wildcards_and_is_for_vfio_mode_only()
    {
        Assert.Equal(7, PciIdMatch.Any.Wildcards);
        Assert.True(PciIdMatch.Any.OverrideOnly);
        Assert.True(PciIdMatch.Any.Matches(Function));
    }
}

internal static class Generators
{
    public static Gen<ushort?> OrNull16(this Gen<ushort?> some) => Gen.OneOf(some, Gen.Constant<ushort?>(null));
}
